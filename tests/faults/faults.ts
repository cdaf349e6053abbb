import type { Fault } from './fault.ts'
import { KILLS } from './kills.ts'

/** Every fault of the data plane, in the order of guarantees.md 2. */
export const FAULTS: Fault[] = [...KILLS]
