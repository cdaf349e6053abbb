import { join } from 'node:path'
import { CHECKOUT, KUBECONFIG, PORTS } from './paths.ts'
import type { ProcessSpec } from './processes.ts'

const DEVICES = 20
const RATE = '5'

/** Twenty simulated devices that post to the sample pipeline until the cluster is stopped. */
export const fleet: ProcessSpec = {
  name: 'fleet',
  command: process.execPath,
  args: [
    join(CHECKOUT, 'services/cli/main.ts'),
    'simulate',
    '--devices',
    String(DEVICES),
    '--rate',
    RATE,
    '--ingest',
    `http://127.0.0.1:${PORTS.ingest}`,
  ],
  env: { KUBECONFIG },
  cwd: CHECKOUT,
  ready: async () => true,
}
