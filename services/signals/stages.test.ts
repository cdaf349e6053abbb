import { expect, it } from 'vitest'
import { createLaps, stageOf } from './stages.ts'

it('a stopwatch sums the stages of messages that take turns, and leaves out what is skipped', () => {
  let ms = 100
  const watch = createLaps(() => ms)
  const after = (waited: number, run: () => void) => {
    ms += waited
    run()
  }
  after(1, () => watch.lap('verify'))
  after(5, () => watch.lap('transform'))
  after(2, () => watch.lap('verify'))
  after(6, () => watch.lap('transform'))
  after(1000, () => watch.skip())
  after(20, () => watch.lap('store_raw'))
  expect(Object.fromEntries(watch.laps)).toEqual({
    verify: { startMs: 106, endMs: 108, tookMs: 3 },
    transform: { startMs: 108, endMs: 114, tookMs: 11 },
    store_raw: { startMs: 1114, endMs: 1134, tookMs: 20 },
  })
})

it.each([
  ['auth_unknown_key', 'authentication'],
  ['schema_invalid', 'validation'],
  ['transform_failed', 'processing'],
  ['storage_failed', 'storage'],
] as const)('%s is a failure of %s', (reason, stage) => expect(stageOf({ reason })).toBe(stage))
