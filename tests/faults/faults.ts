import { ALARMS } from './alarms.ts'
import { BROKER } from './broker.ts'
import { CACHE } from './cache.ts'
import { DEVICES } from './devices.ts'
import type { Fault } from './fault.ts'
import { KILLS } from './kills.ts'
import { MESSAGES } from './messages.ts'
import { PODS } from './pods.ts'
import { REQUESTS } from './requests.ts'
import { STEADY } from './steady.ts'
import { STORE } from './store.ts'

/** Every fault of the data plane, in the order of guarantees.md 2. */
export const FAULTS: Fault[] = [
  ...KILLS,
  ...ALARMS,
  ...BROKER,
  ...STORE,
  ...CACHE,
  ...MESSAGES,
  ...REQUESTS,
  ...DEVICES,
  ...PODS,
  ...STEADY,
]
