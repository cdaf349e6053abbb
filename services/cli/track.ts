import type { Point } from '#contract/recording.ts'

/** Random numbers from 0 to 1 that a seed repeats: mulberry32, public domain. */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const LEIPZIG = { lat: 51.3397, lon: 12.3731 }
const METERS_PER_DEGREE = 111_320
const FASTEST = 15
const MINUTE_MS = 60_000

/**
 * A made-up walk like a real device's: a point about every second, offsets that start over each minute, a speed that
 * drifts and a heading that turns.
 */
export const makeTrack = (points: number, random: () => number): Point[] => {
  let [lat, lon] = [LEIPZIG.lat + (random() - 0.5) / 10, LEIPZIG.lon + (random() - 0.5) / 10]
  let [heading, speed, clockMs] = [random() * 2 * Math.PI, random() * 5, Math.floor(random() * 1000)]
  return Array.from({ length: points }, (): Point => {
    const position: Point[1] = [lat, lon, speed]
    const offsetMs = clockMs % MINUTE_MS
    heading += (random() - 0.5) / 2
    speed = Math.min(FASTEST, Math.max(0, speed + (random() - 0.5)))
    lat += (Math.cos(heading) * speed) / METERS_PER_DEGREE
    lon += (Math.sin(heading) * speed) / (METERS_PER_DEGREE * Math.cos((lat * Math.PI) / 180))
    clockMs += 990 + Math.floor(random() * 20)
    return [offsetMs, position]
  })
}
