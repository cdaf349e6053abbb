import { loadavg } from 'node:os'
import { benchApi } from './api.ts'
import { benchColdStart } from './cold-start.ts'
import { benchDrain } from './drain.ts'
import { benchIngest } from './ingest.ts'
import { COMPARISONS } from './measured/comparisons.ts'
import { benchScaling } from './measured/report.ts'
import { benchRequests } from './measured/requests.ts'
import { benchOperator } from './operator.ts'
import { benchPipeline } from './pipeline.ts'
import { simulateScaling } from './scaling/report.ts'
import { benchSoak } from './soak.ts'

// `npm run bench -- NAME [--seconds N] [--pipelines N] [--changes N] [--kubeconfig FILE] [--simulate] [--only COMPARISON] [--pictures FOLDER] [--json]` on the local cluster; prints one object last.

type Bench = { run: (seconds: number) => Promise<object>; limitedBy: string }

/** What follows a flag. */
const textAfter = (flag: string): string | undefined => {
  const at = process.argv.indexOf(flag)
  return at === -1 ? undefined : (process.argv[at + 1] ?? '')
}
const numberAfter = (flag: string, otherwise: number): number => Number(textAfter(flag) ?? otherwise)

const only = textAfter('--only')
const SHARED_CORES = 'CPU: load generator, broker, store and services share the cores'
const simulated = process.argv.includes('--simulate')
const BENCHES: Record<string, Bench> = {
  ingest: { run: benchIngest, limitedBy: SHARED_CORES },
  pipeline: { run: benchPipeline, limitedBy: SHARED_CORES },
  drain: { run: benchDrain, limitedBy: SHARED_CORES },
  'cold-start': {
    run: benchColdStart,
    limitedBy: 'the clocks of broker and operator, and what a node needs for a pod',
  },
  api: { run: benchApi, limitedBy: SHARED_CORES },
  scaling: simulated
    ? { run: async () => simulateScaling(), limitedBy: 'nothing: it is a model' }
    : { run: () => benchScaling(only, textAfter('--pictures')), limitedBy: SHARED_CORES },
  operator: {
    run: (seconds) => benchOperator(pipelines, { perSecond: changes, seconds }, kubeconfig),
    limitedBy: 'CPU: etcd, the API server and its controllers share the cores with the operator',
  },
  requests: { run: (seconds) => benchRequests(pipelines, seconds), limitedBy: 'nothing: requests are counted' },
  soak: { run: benchSoak, limitedBy: 'the rate that it is sent at: it looks for loss, not for speed' },
}

const [name = '', ...rest] = process.argv.slice(2)
const bench = BENCHES[name]
const seconds = numberAfter('--seconds', 15)
const pipelines = numberAfter('--pipelines', 1000)
const changes = numberAfter('--changes', 100)
const kubeconfig = textAfter('--kubeconfig')
const known = only === undefined || Object.hasOwn(COMPARISONS, only)
const texts = [kubeconfig, textAfter('--pictures')]
if (bench === undefined || !(seconds > 0) || !(pipelines > 0) || !(changes > 0) || texts.includes('') || !known) {
  console.error(
    `expected a name of ${Object.keys(BENCHES).join(', ')} and, after --seconds, --pipelines and --changes, a number above 0, after --kubeconfig a file, after --pictures a folder, and after --only one of ${Object.keys(COMPARISONS).join(', ')}; got "${process.argv.slice(2).join(' ')}"`,
  )
  process.exitCode = 2
} else {
  const figures = await bench.run(seconds)
  const said = { name, figures, load: loadavg()[0], limitedBy: bench.limitedBy }
  console.log(JSON.stringify(said, null, rest.includes('--json') ? 0 : 2))
}
