import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

// `node tests/run.ts [STAGE ...]`: runs the stages in order, each to its end, and counts what passed and failed.

type Count = { passed: number; failed: number; failures?: string[] }

type Report = {
  numPassedTests: number
  numFailedTests: number
  testResults: {
    name: string
    message: string
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[]
  }[]
}

const [MAJOR = 0] = process.versions.node.split('.').map(Number)
if (MAJOR < 24) throw new Error(`expected Node 24 from node_modules, got ${process.version}: run "npm ci"`)

const succeeds = (command: string, args: string[]): boolean => {
  console.log(`\n== ${command} ${args.join(' ')}`)
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0
}

/** A command that is one check by itself. */
const check =
  (command: string, ...args: string[]) =>
  (): Count => {
    const ok = succeeds(command, args)
    return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 }
  }

/** How much of a failure's message is said again at the end, in characters; the whole stands where it happened. */
const MESSAGE_LENGTH = 1_500

/** What failed, said again at the end, where whoever reads only the last lines of a log finds it. */
const failuresOf = ({ testResults }: Report): string[] =>
  testResults.flatMap(({ name, message, assertionResults }) => {
    const file = relative(process.cwd(), name)
    const failed = assertionResults.filter(({ status }) => status === 'failed')
    const failures = failed.map(({ fullName, failureMessages: [first = ''] }) => `${fullName}: ${first}`)
    return [...failures, ...(message === '' ? [] : [message])].map(
      (text) => `${file}: ${text.slice(0, MESSAGE_LENGTH)}`,
    )
  })

/** One project of vitest.config.ts. A run that ends without a report, or fails outside a test, has failed once more. */
const tests = (project: string) => (): Count => {
  const report = join(mkdtempSync(join(tmpdir(), 'xrayiot-tests-')), 'report.json')
  const ok = succeeds('vitest', [
    'run',
    `--project=${project}`,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ])
  try {
    const results: Report = JSON.parse(readFileSync(report, 'utf8'))
    const { numPassedTests: passed, numFailedTests: failed } = results
    return { passed, failed: ok || failed > 0 ? failed : 1, failures: failuresOf(results) }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

const STAGES: Record<string, () => Count> = {
  types: check('tsc', '--noEmit', '-p', '.'),
  lint: check('biome', 'check', '--error-on-warnings', '.'),
  unit: tests('unit'),
  cluster: check('node', 'k8s/local/start.ts'),
  operator: tests('operator'),
  keda: tests('keda'),
  integration: tests('integration'),
  charts: tests('charts'),
  e2e: tests('e2e'),
  faults: tests('faults'),
}

/** Run only when they are named: what they test is built first, and that takes minutes. */
const BY_NAME = ['keda']

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => STAGES[name] === undefined)
if (unknown.length > 0)
  throw new Error(`expected stages of ${Object.keys(STAGES).join(', ')}; got ${unknown.join(', ')}`)

const total: Count = { passed: 0, failed: 0 }
const failures: string[] = []
const summary: string[] = []
for (const [name, run] of Object.entries(STAGES)) {
  if (wanted.length > 0 ? !wanted.includes(name) : BY_NAME.includes(name)) continue
  const startedAt = Date.now()
  const count = run()
  total.passed += count.passed
  total.failed += count.failed
  failures.push(...(count.failures ?? []))
  summary.push(
    `${name}: ${count.passed} passed, ${count.failed} failed in ${Math.round((Date.now() - startedAt) / 1000)} s`,
  )
}
for (const failure of failures) console.log(`\nfailed: ${failure}`)
console.log(`\n${summary.join('\n')}\n\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1
