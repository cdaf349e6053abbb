import { SCALING_DEFAULTS, type Scaling, type Trigger } from '#contract/scaling/block.ts'
import { decideScaling } from '#contract/scaling/decision.ts'
import { freshMemory, type Memory } from '#contract/scaling/memory.ts'
import { pausesOf } from '#contract/scaling/pauses.ts'
import type { Sample } from '#contract/scaling/sample.ts'
import type { Facts } from '#contract/scaling/situation.ts'

export const NOW = 10_000_000

/** Four looks, 5 s apart, the last one now or `ageMs` ago; counters grow by the given rates. */
export const looks = (
  ready: number,
  unacked: number,
  { arrival = 0, service = 0, ageMs = 0 }: { arrival?: number; service?: number; ageMs?: number } = {},
): Sample[] =>
  [15, 10, 5, 0].map((secondsAgo) => ({
    atMs: NOW - secondsAgo * 1000 - ageMs,
    ready,
    unacked,
    published: 1000 + (15 - secondsAgo) * arrival,
    acked: 1000 + (15 - secondsAgo) * service,
  }))

/** A memory in which nothing is going on; rates are learnt only from pods that have not changed for long. */
const calm = (more: Partial<Memory> = {}): Memory => ({
  ...freshMemory(0),
  steady: { ready: -1, sinceMs: 0 },
  lastActiveMs: NOW - 1000,
  burstUntilMs: 0,
  ...more,
})
export const rate = (perSecond: number, replicas = 1) => [{ replicas, perSecond, samples: 3, atMs: NOW - 5000 }]
export const wanted = (...pairs: [secondsAgo: number, replicas: number][]) =>
  pairs.map(([secondsAgo, replicas]) => ({ atMs: NOW - secondsAgo * 1000, replicas }))

export type More = {
  ready?: number
  memory?: Partial<Memory>
  scaling?: Partial<Scaling>
  fixed?: number
  room?: number
  concurrency?: number
  metrics?: Facts['metrics']
  annotations?: Record<string, string>
  elsewhere?: Facts['elsewhere']
  problems?: NonNullable<Facts['problems']>
}

export const decide = (samples: Sample[], current: number, more: More = {}) =>
  decideScaling(
    {
      samples,
      replicas: { current, ready: more.ready ?? current },
      metrics: more.metrics ?? {},
      pauses: pausesOf(more.annotations),
      fixed: more.fixed,
      room: more.room,
      concurrency: more.concurrency ?? 10,
      elsewhere: more.elsewhere,
      problems: more.problems ?? [],
    },
    { ...SCALING_DEFAULTS, ...more.scaling },
    calm(more.memory),
    NOW,
  )

export const queue = (metadata: object): Trigger => ({ type: 'rabbitmq', metadata: { value: '20', ...metadata } })
export const prometheus: Trigger = {
  type: 'prometheus',
  name: 'lag',
  metadata: { serverAddress: 'http://prometheus:9090', query: 'lag', threshold: '100' },
}
const { behavior } = SCALING_DEFAULTS
export const scaleDown = (more: object) => ({
  behavior: { ...behavior, scaleDown: { ...behavior.scaleDown, ...more } },
})
export const scaleUp = (more: object) => ({ behavior: { ...behavior, scaleUp: { ...behavior.scaleUp, ...more } } })
export const free = scaleDown({ stabilizationWindowSeconds: 0, policies: [], tolerance: 0 })

export type Row = [title: string, samples: Sample[], current: number, more: More, desired: number, reason: string]
