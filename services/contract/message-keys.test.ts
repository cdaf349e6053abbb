import { expect, it } from 'vitest'
import { decideSigningKid, RIPE_AFTER_MS } from './message-keys.ts'

const NOW = 1_000_000_000
const RIPE = NOW - RIPE_AFTER_MS

it.each<[string, Record<string, number>, string | undefined]>([
  ['no key signs nothing', {}, undefined],
  ['the only key signs at once', { p1: NOW }, 'p1'],
  ['a new key waits until everybody has it', { p1: RIPE, p2: RIPE + 1 }, 'p1'],
  ['the newest that is ripe signs', { p1: RIPE, p2: RIPE }, 'p2'],
  ['a ripe one signs when the newest is not', { p1: RIPE, p2: RIPE, p3: NOW }, 'p2'],
  ['a process that just started takes the oldest', { p2: NOW, p1: NOW }, 'p1'],
  ['the tenth is newer than the ninth', { p9: RIPE, p10: RIPE }, 'p10'],
  ['a ripe newer key outlasts the removal of the former', { p2: RIPE }, 'p2'],
])('%s', (_, since, expected) => expect(decideSigningKid(new Map(Object.entries(since)), NOW)).toBe(expected))
