import { expect, it } from 'vitest'
import { isSameStatus } from './status.ts'

it('a status is the same whatever the order of its fields', () => {
  const status = {
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
  }
  expect(isSameStatus(Object.fromEntries(Object.entries(status).reverse()), status)).toBe(true)
  expect(isSameStatus({ ...status, replicas: 1 }, status)).toBe(false)
})
