import { benchPipeline } from './pipeline.ts'

// `npm run bench -- NAME [--seconds N] [--json]` on the local cluster; prints one object.

const BENCHES: Record<string, (seconds: number) => Promise<object>> = { pipeline: benchPipeline }

const [name = '', ...rest] = process.argv.slice(2)
const bench = BENCHES[name]
const at = rest.indexOf('--seconds')
const seconds = at === -1 ? 15 : Number(rest[at + 1])
if (bench === undefined || !(seconds > 0)) {
  console.error(
    `expected a name of ${Object.keys(BENCHES).join(', ')} and, after --seconds, a number above 0; got "${process.argv.slice(2).join(' ')}"`,
  )
  process.exitCode = 2
} else console.log(JSON.stringify(await bench(seconds), null, rest.includes('--json') ? 0 : 2))
