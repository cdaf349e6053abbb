import { seeded } from '../../../services/cli/track.ts'
import type { Scenario } from './world.ts'

const between = (second: number, from: number, to: number): boolean => second >= from && second < to

/** Ten at once, two seconds each: five a second of one pod, as in the measurement of a real KEDA (docs/scaling.md). */
const SHORT = { concurrency: 10, serviceSeconds: 2, maxReplicas: 50, runs: 5 }

/** A day by the hour, messages a second: a made-up town that wakes, works and sleeps. */
const DAY = [2, 1, 1, 1, 1, 3, 12, 40, 55, 48, 44, 46, 50, 47, 42, 45, 52, 58, 40, 24, 15, 9, 5, 3]
const NOISE = seeded(7)
const MINUTES = Array.from({ length: 24 * 60 }, (_, minute) => {
  const [hour, part] = [Math.floor(minute / 60), (minute % 60) / 60]
  const mean = (DAY[hour] as number) * (1 - part) + (DAY[(hour + 1) % 24] as number) * part
  return mean * (0.7 + 0.6 * NOISE()) * (NOISE() < 0.01 ? 4 : 1)
})

export const SCENARIOS: readonly Scenario[] = [
  { ...SHORT, name: 'burst of 6,000', seconds: 900, arrivals: (second) => (second === 60 ? 6000 : 0) },
  {
    ...SHORT,
    name: 'step to 100/s for 10 min',
    seconds: 1200,
    arrivals: (second) => (between(second, 60, 660) ? 100 : 0),
  },
  {
    ...SHORT,
    name: 'sawtooth 20 to 120/s',
    seconds: 1800,
    arrivals: (second) => (between(second, 60, 1500) ? 20 + (100 * ((second - 60) % 240)) / 240 : 0),
  },
  {
    name: '60 jobs of 90 s, every 10 min',
    concurrency: 1,
    serviceSeconds: 90,
    maxReplicas: 60,
    runs: 5,
    seconds: 2400,
    arrivals: (second) => (between(second, 60, 1900) && (second - 60) % 600 === 0 ? 60 : 0),
  },
  {
    ...SHORT,
    name: '90/s, 60/s behind the pods',
    seconds: 1800,
    downstreamPerSecond: 60,
    arrivals: (second) => (between(second, 60, 660) ? 90 : between(second, 660, 1500) ? 20 : 0),
  },
  { ...SHORT, name: 'one a minute', seconds: 3600, arrivals: (second) => (second % 60 === 30 ? 1 : 0) },
  {
    ...SHORT,
    name: 'no answer for 4 min at 50/s',
    seconds: 1200,
    unanswered: [300, 540],
    arrivals: (second) => (between(second, 60, 900) ? 50 : 0),
  },
  {
    ...SHORT,
    name: 'answers without figures for 6 min at 50/s',
    seconds: 1200,
    blank: [300, 660],
    arrivals: (second) => (between(second, 60, 900) ? 50 : 0),
  },
  {
    ...SHORT,
    name: 'pods stall for 2 min at 50/s',
    seconds: 1200,
    stalled: [300, 420],
    arrivals: (second) => (between(second, 60, 900) ? 50 : 0),
  },
  {
    ...SHORT,
    name: 'a made-up day',
    runs: 1,
    seconds: 86_400,
    arrivals: (second) => MINUTES[Math.floor(second / 60)] as number,
  },
]
