import { expect, it } from 'vitest'
import { changesSince, type Known } from './device-watch.ts'

const NOW = 10_000_000
const known = (change: Partial<Known> = {}): Known => ({
  devices: new Map(),
  fullAtMs: NOW - 5_000,
  readAtMs: NOW - 5_000,
  newestMs: NOW - 7_000,
  ...change,
})

it.each<[string, Known | undefined, number | undefined]>([
  ['everything is read at first', undefined, undefined],
  ['then what is new, and a minute more for writers whose clocks are behind', known(), NOW - 67_000],
  ['a writer whose clock is ahead hides nothing', known({ newestMs: NOW + 3_600_000 }), NOW - 65_000],
  ['everything is read again after ten minutes', known({ fullAtMs: NOW - 600_000 }), undefined],
  ['everything is read again when the clock was set back', known({ fullAtMs: NOW + 1 }), undefined],
])('%s', (_, state, expected) => expect(changesSince(state, NOW)).toBe(expected))
