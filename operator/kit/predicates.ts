import type { ObjectMeta } from './object.ts'
import type { Change } from './reflector.ts'
import { LIVE, ROUTINE } from './work-queue.ts'

/** All of metadata that somebody decides. */
const decided = ({ resourceVersion: _, generation: __, ...metadata }: ObjectMeta): string => JSON.stringify(metadata)

/**
 * True unless only the status changed, and what goes with it: a controller that wrote it need not look at it again.
 * The generation goes up with the spec, and with a deletion; labels, annotations, finalizers and owners have none.
 */
export const isMoreThanStatus = ({ before, after }: Change): boolean =>
  before === undefined ||
  after === undefined ||
  before.metadata.generation !== after.metadata.generation ||
  decided(before.metadata) !== decided(after.metadata)

/** controller-runtime's priorities: what was so before this process came goes behind what changes now. */
export const priorityOf = ({ initial, before, after }: Change): number =>
  initial || (before !== undefined && before.metadata.resourceVersion === after?.metadata.resourceVersion)
    ? ROUTINE
    : LIVE
