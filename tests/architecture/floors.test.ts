import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const CLOCK = 'The clock, randomness and timers come in as arguments'

/** What Biome says, by our configuration, of a checkout that holds this one file. */
const lint = (path: string, text: string): string => {
  const checkout = mkdtempSync(join(tmpdir(), 'xrayiot-floors-'))
  try {
    cpSync('biome.json', join(checkout, 'biome.json'))
    cpSync('tests/architecture/clock.grit', join(checkout, 'tests/architecture/clock.grit'), { recursive: true })
    mkdirSync(dirname(join(checkout, path)), { recursive: true })
    writeFileSync(join(checkout, path), text)
    const biome = spawnSync(resolve('node_modules/.bin/biome'), ['lint', '--vcs-enabled=false', path], {
      cwd: checkout,
    })
    return `${biome.stdout}${biome.stderr}`
  } finally {
    rmSync(checkout, { recursive: true })
  }
}

const importing = (specifier: string): string => `import { x } from '${specifier}'\nexport const y = x\n`

describe('an import that goes up, or sideways, is refused', () => {
  it.each([
    ['services/contract/x.ts', importing('#runtime/log.ts'), 'contract is pure'],
    ['services/contract/x.ts', importing('node:fs'), 'contract is pure'],
    ['services/contract/scaling/x.ts', importing('../../runtime/log.ts'), 'contract is pure'],
    ['services/contract/x.ts', importing('pino'), 'contract is pure'],
    ['services/runtime/x.ts', importing('../producer/answer.ts'), 'runtime imports contract and packages only'],
    ['services/runtime/x.ts', importing('#kit/client.ts'), 'runtime imports contract and packages only'],
    ['services/producer/x.ts', importing('../signals/batch.ts'), 'processes never import one another'],
    ['services/cli/x.ts', importing('#kit/client.ts'), 'processes never import one another'],
    ['services/api/x.ts', importing('./main.ts'), 'nobody imports a main.ts'],
    ['services/api/x.ts', importing('./query.test.ts'), 'nobody imports a main.ts or a test'],
    ['operator/kit/x.ts', importing('#contract/pipeline.ts'), 'the kit knows nothing of XRay'],
    ['operator/kit/x.ts', importing('../decide/scaling.ts'), 'the kit knows nothing of XRay'],
    ['operator/decide/x.ts', importing('../cluster/kube.ts'), 'decisions are pure'],
    ['operator/decide/x.ts', importing('undici'), 'decisions are pure'],
    ['operator/x.ts', importing('../services/producer/answer.ts'), 'the operator imports its own files'],
  ])('%s: %j', (path, text, message) => expect(lint(path, text)).toContain(message))

  it.each([
    ['services/contract/x.ts', './ids.ts'],
    ['services/contract/x.ts', './scaling/block.ts'],
    ['services/contract/x.ts', 'node:crypto'],
    ['services/runtime/x.ts', '#contract/ids.ts'],
    ['services/producer/x.ts', '#runtime/log.ts'],
    ['operator/decide/x.ts', '#contract/pipeline.ts'],
    ['operator/decide/x.ts', '#contract/scaling/block.ts'],
    ['operator/cluster/x.ts', '../decide/scaling.ts'],
  ])('%s may import %s', (path, specifier) =>
    expect(lint(path, importing(specifier))).not.toContain('noRestrictedImports'),
  )
})

describe('the clock, randomness and timers are refused where they must be arguments', () => {
  const calls = ['Date.now()', 'new Date()', 'Math.random()', 'setTimeout(() => 1, 5)', 'performance.now()']
  it.each(calls)('%s', (call) => expect(lint('services/signals/x.ts', `export const x = ${call}\n`)).toContain(CLOCK))
  it.each(['services/contract/x.ts', 'operator/decide/x.ts', 'operator/controller.ts'])('in %s', (path) =>
    expect(lint(path, 'export const x = Date.now()\n')).toContain(CLOCK),
  )
  it.each(['services/runtime/x.ts', 'services/signals/main.ts', 'operator/kit/x.ts'])('but not in %s', (path) =>
    expect(lint(path, 'export const x = Date.now()\n')).not.toContain(CLOCK),
  )
  it('a given time is no clock', () =>
    expect(lint('services/signals/x.ts', 'export const x = new Date(5)\n')).not.toContain(CLOCK))
})

it('the environment is refused outside main.ts', () => {
  const text = 'export const x = process.env.HOME\n'
  expect(lint('services/runtime/x.ts', text)).toContain('noProcessEnv')
  expect(lint('services/api/main.ts', text)).not.toContain('noProcessEnv')
})
