import { describe, expect, it } from 'vitest'
import type { PipelineStatus } from './decide/pipeline.ts'
import { isStatusDue } from './status.ts'

const STATUS: PipelineStatus = {
  observedGeneration: 1,
  conditions: [],
  reason: 'x',
  signals: '0/0',
  replicas: 0,
  selector: '',
  components: {
    producer: { desired: 1, ready: 1, image: 'a' },
    signals: { desired: 0, ready: 0, image: 'a' },
    api: { desired: 1, ready: 1, image: 'a' },
  },
  backlog: 5,
  deadLetters: 0,
}

describe('a status', () => {
  const reversed = Object.fromEntries(Object.entries(STATUS).reverse())
  const { backlog: _, ...unknown } = STATUS
  it.each([
    ['that is the same is not written, whatever the order of its fields', reversed, STATUS, undefined, false],
    ['that differs is written', STATUS, { ...STATUS, replicas: 1 }, 0, true],
    ['whose backlog alone moves is written when nothing was for long', STATUS, { ...STATUS, backlog: 6 }, 30_000, true],
    ['whose backlog alone moves is not written twice in 30 s', STATUS, { ...STATUS, backlog: 6 }, 29_999, false],
    ['whose dead letters alone move is not either', STATUS, { ...STATUS, deadLetters: 6 }, 29_999, false],
    ['that differs in more than figures is written', STATUS, { ...STATUS, backlog: 6, replicas: 1 }, 0, true],
    ['whose backlog becomes known is written', unknown, STATUS, 0, true],
    ['whose backlog becomes unknown is written', STATUS, unknown, 0, true],
    ['is written first by a process that has written none', STATUS, { ...STATUS, backlog: 6 }, undefined, true],
    ['is written of a pipeline that has none', undefined, STATUS, undefined, true],
  ])('%s', (_, before, after, writtenMs, due) => expect(isStatusDue(before, after, writtenMs)).toBe(due))
})
