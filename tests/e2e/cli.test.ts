import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KUBECONFIG } from '../../k8s/local/paths.ts'
import { secretValues } from '../../services/cli/scrub.ts'
import { eventually, kubectl, read } from './cluster.ts'
import { apply, manifest } from './pipeline.ts'

/** A namespace without connection Secrets: its pipeline waits for them, and runs nothing. */
const NAMESPACE = 'e2e-xrayctl'
const NAME = 'waiting'

const xrayctl = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync('node', ['services/cli/main.ts', ...args], {
    env: { ...process.env, KUBECONFIG },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return { status, stdout, stderr }
}
const ofWaiting = (...args: string[]) => xrayctl(...args, '-n', NAMESPACE, '-p', NAME)

beforeAll(async () => {
  await kubectl(['create', 'namespace', NAMESPACE])
  const pipeline = JSON.parse(manifest(NAME, { deletionPolicy: 'Retain' }))
  await apply(JSON.stringify({ ...pipeline, metadata: { name: NAME, namespace: NAMESPACE } }))
  await eventually('the operator to say what the pipeline lacks', 150, async () =>
    ofWaiting('status').stdout.includes('SecretMissing') ? true : undefined,
  )
})
afterAll(async () => {
  await kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=true', '--timeout=300s'])
})

describe('of a pipeline that lacks a Secret', () => {
  it('status fails, names what is missing and what to read', () => {
    const { status, stdout } = ofWaiting('status')
    expect(status).toBe(1)
    expect(stdout).toContain('! Ready=False, SecretMissing: the Secret e2e-xrayctl/xray-rabbitmq is not there')
    expect(stdout).toContain('(xrayctl explain SecretMissing)')
  })

  it('events have the warning of the operator', async () => {
    const seen = await eventually('the event to be written', 90, async () =>
      (JSON.parse(ofWaiting('events', '-o', 'json').stdout) as { reason: string; object: string }[]).find(
        ({ reason }) => reason === 'SecretMissing',
      ),
    )
    expect(seen.object).toBe(`XRayPipeline/${NAME}`)
  })

  it('doctor fails where it is broken, and nowhere before', () => {
    const { status, stdout } = ofWaiting('doctor', '-o', 'json')
    expect(status).toBe(1)
    const results = JSON.parse(stdout) as { name: string; state: string; detail: string }[]
    const failed = results.filter(({ state }) => state === 'failed').map(({ name }) => name)
    expect(failed).toEqual(expect.arrayContaining(['broker', 'store', 'cache', 'ready']))
    expect(failed.filter((name) => ['kubernetes', 'operator', 'pipeline', 'definition'].includes(name))).toEqual([])
  })

  it('pause is over when the operator has seen it, and so is resume', async () => {
    const paused = async () =>
      (await read('xraypipeline', NAME, '-n', NAMESPACE)).status.conditions.find(
        ({ type }: { type: string }) => type === 'Paused',
      ).status
    expect(ofWaiting('pause')).toMatchObject({ status: 0, stdout: `${NAMESPACE}/${NAME} paused\n` })
    expect(await paused()).toBe('True')
    expect(ofWaiting('resume')).toMatchObject({ status: 0, stdout: `${NAMESPACE}/${NAME} resumed\n` })
    expect(await paused()).toBe('False')
  })
})

describe('of the sample pipeline', () => {
  it('doctor logs in to the broker, the store and the cache, and tells their versions', () => {
    const { status, stdout } = xrayctl('doctor')
    expect(stdout).toMatch(/^ok {4}broker: RabbitMQ 4\./m)
    expect(stdout).toMatch(/^ok {4}store: (FerretDB|MongoDB) /m)
    expect(stdout).toMatch(/^ok {4}cache: (Redis|Valkey) /m)
    expect(status).toBe(0)
  })

  it('logs are those of every component, in the order of their time', () => {
    const { status, stdout } = xrayctl('logs', '-o', 'json', '--tail', '5')
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { at: string; component: string })
    expect(status).toBe(0)
    expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).sort())
    expect([...new Set(lines.map(({ component }) => component))]).toEqual(expect.arrayContaining(['producer', 'api']))
  })

  it('a support bundle has no value of a Secret of the namespace in it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'xrayiot-e2e-'))
    try {
      const file = join(folder, 'bundle.tar.gz')
      expect(xrayctl('support-bundle', '-f', file)).toMatchObject({ status: 0, stdout: `${file}\n` })
      const text = gunzipSync(readFileSync(file)).toString()
      expect(text).toContain('kind: XRayPipeline')
      const values = secretValues((await read('secrets', '-n', 'xray')).items)
      expect(values.length).toBeGreaterThan(5)
      expect(values.filter((value) => text.includes(value))).toEqual([])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('a name that is not there is answered with the one that was meant', () =>
    expect(xrayctl('status', 'liepzig')).toMatchObject({
      status: 4,
      stderr: 'xrayctl: the pipeline xray/liepzig is not there; did you mean "leipzig"?\n',
    }))
})
