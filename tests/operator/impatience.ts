import { toNodeOptions } from '../faults/sabotage.ts'

/** What an operator waits for on purpose is short for these tests: 1 s instead of 8 s or half a minute, 3 s instead of a minute. */
export const IMPATIENT = toNodeOptions(
  [
    { file: 'operator/rollouts.ts', from: 'const GRACE_MS = 8_000', to: 'const GRACE_MS = 1_000' },
    { file: 'operator/rollouts.ts', from: 'const LOOK_MS = 8_000', to: 'const LOOK_MS = 1_000' },
    { file: 'operator/cluster/optional-kinds.ts', from: 'DISCOVERY_MS = 30_000', to: 'DISCOVERY_MS = 1_000' },
    { file: 'operator/finalize.ts', from: 'const GIVE_UP_MS = 60_000', to: 'const GIVE_UP_MS = 3_000' },
  ],
  1,
)
