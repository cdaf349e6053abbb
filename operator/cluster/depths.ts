import { lookAtQueues, type QueueLook } from './broker.ts'
import { createSharedReading, type SharedReading } from './shared-reading.ts'

/** The queues of a virtual host whose depth is known, by name. */
export type Looks = ReadonlyMap<string, QueueLook>

export type Depths = { look: SharedReading<Looks> }

/** Looks at the queues of each virtual host once for all pipelines that use it. */
export const createDepths = (): Depths => ({
  look: createSharedReading(async (broker, nowMs) => {
    const all = await lookAtQueues(broker, nowMs)
    return new Map(all.map((look) => [look.name, look]))
  }),
})
