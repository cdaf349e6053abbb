import type { Scaling } from './block.ts'

/**
 * The part of what arrives in the drain time that is left to stand: who comes last waits for so much of that time, and a
 * third of it is left for what nobody foresees.
 */
const STANDING_PART = 2 / 3
/** The queue refuses messages when it is full, so no more than this part of it is left full. */
const ROOM_PART = 0.5

/** Whether pods shall never be idle: they are not when a queue stands before them, and only then. */
export const isNeverIdle = ({ slo }: Scaling): boolean => slo.targetUtilization === 1

/**
 * Messages that are left to stand before pods that shall never be idle; 0 before others. With nothing that arrives there
 * is nothing to leave, so the last message is worked on like any other.
 * @param arrival messages a second
 * @param room messages that the queue has room for, undefined when that is not known
 */
export const standingOf = (arrival: number, room: number | undefined, scaling: Scaling): number =>
  isNeverIdle(scaling)
    ? Math.min(STANDING_PART * arrival * scaling.slo.targetDrainSeconds, ROOM_PART * (room ?? Number.POSITIVE_INFINITY))
    : 0
