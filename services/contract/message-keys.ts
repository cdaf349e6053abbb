import { byNumber } from './device-key.ts'

/**
 * How long a message key must have been here before it signs, in ms. The kubelets bring a changed Secret to their pods
 * up to 90 s apart (sync period and cache), and signals must know a key before any producer signs with it.
 */
export const RIPE_AFTER_MS = 120_000

/**
 * Decides which message key signs: the newest that has been here long enough. A process that has just started cannot
 * tell how long its keys have been anywhere else: until one is ripe it takes the oldest, which everybody has.
 * @param since when each key id was first seen here, ms since the epoch
 * @returns undefined without any key
 */
export const decideSigningKid = (since: ReadonlyMap<string, number>, nowMs: number): string | undefined => {
  const kids = [...since.keys()].sort(byNumber)
  return kids.findLast((kid) => nowMs - (since.get(kid) ?? nowMs) >= RIPE_AFTER_MS) ?? kids[0]
}
