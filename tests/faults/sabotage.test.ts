import { describe, expect, it } from 'vitest'
import { CONTROLS as OPERATOR_CONTROLS } from '../operator/controls.ts'
import { CONTROLS } from './controls.ts'
import { KILL_POINTS } from './kill-points.ts'
import { type Edit, toNodeOptions } from './sabotage.ts'

const all: [string, readonly Edit[]][] = [
  ...[...Object.entries(CONTROLS), ...Object.entries(OPERATOR_CONTROLS)].map(
    ([name, { edits }]): [string, readonly Edit[]] => [name, edits],
  ),
  ...Object.entries(KILL_POINTS),
]

describe('the sources are still as the sabotage expects them', () => {
  it.each(all)('%s', (_, edits) => expect(toNodeOptions(edits, 1)).toMatch(/^--import=data:text\/javascript,/))
})

it('an edit of a text that is not there is refused', () =>
  expect(() => toNodeOptions([{ file: 'services/producer/ingest.ts', from: 'no such text', to: '' }], 1)).toThrow(
    'expected "no such text" once in services/producer/ingest.ts, found it 0 times',
  ))
