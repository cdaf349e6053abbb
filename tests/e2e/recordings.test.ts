import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256Hex } from '#contract/digest.ts'
import { KUBECONFIG } from '../../k8s/local/paths.ts'

const SEED =
  '{"deviceId":"66bb584d4ae73e488c30a072","timestamp":1735683480000,"data":[[762,[51.339764,12.339223833333334,1.2038000000000002]],[1766,[51.33977733333333,12.339211833333334,1.531604]]]}'
/** A real recording of 563 points; it is kept beside the checkout and not in it. */
const LEIPZIG = '../shared/data/leipzig-track.json'

const xrayctl = (...args: string[]) =>
  spawnSync('node', ['services/cli/main.ts', ...args], { env: { ...process.env, KUBECONFIG } })

const sent = (file: string): string => {
  const run = xrayctl('send', file, '--wait')
  expect(run.stderr.toString()).toBe('')
  return (JSON.parse(run.stdout.toString()) as { id: string }).id
}

const seedFile = (): string => {
  const file = join(mkdtempSync(join(tmpdir(), 'xrayiot-e2e-')), 'seed.json')
  writeFileSync(file, SEED)
  return file
}

describe('a recording that xrayctl sends to the sample pipeline comes back through the API', () => {
  it('the seed example, with its figures and longitude first', () => {
    const id = sent(seedFile())
    const signal = JSON.parse(xrayctl('signals', 'get', id).stdout.toString())
    expect(signal).toMatchObject({
      id,
      deviceId: '66bb584d4ae73e488c30a072',
      timestamp: 1735683480000,
      dataPoints: 2,
      dataVolume: 185,
      status: 'processed',
      rawPayloadId: id,
    })
    expect(signal.stats).toMatchObject({ maxSpeed: 1.531604, durationMs: 1004 })
    expect(signal.bbox).toEqual([12.339211833333334, 51.339764, 12.339223833333334, 51.33977733333333])
    expect(signal.start.coordinates).toEqual([12.339223833333334, 51.339764])
    expect(xrayctl('signals', 'raw', id).stdout.toString()).toBe(SEED)
  })

  it('a real one of 563 points in the predecessor form, byte by byte', ({ skip }) => {
    skip(!existsSync(LEIPZIG), `the real recording is not at ${LEIPZIG}, beside the checkout`)
    const bytes = readFileSync(LEIPZIG)
    const id = sent(LEIPZIG)
    const signal = JSON.parse(xrayctl('signals', 'get', id).stdout.toString())
    expect(signal).toMatchObject({ dataPoints: 563, dataVolume: bytes.length, rawSha256: sha256Hex(bytes) })
    expect(signal.stats.distanceMeters).toBeCloseTo(578.13, 1)
    expect(xrayctl('signals', 'raw', id).stdout.equals(bytes)).toBe(true)
  })

  it('lists as a page that says how many there are', () => {
    const page = JSON.parse(xrayctl('signals', 'list', '--limit', '1', '-o', 'json').stdout.toString())
    expect(page.data).toHaveLength(1)
    expect(page.pagination).toMatchObject({ page: 1, limit: 1 })
    expect(page.pagination.total).toBeGreaterThan(0)
  })
})

describe('xrayctl', () => {
  it('finds nothing wrong', () => {
    const run = xrayctl('doctor')
    expect(run.stdout.toString()).toContain(' ok, 0 failed')
    expect(run.status).toBe(0)
  })
  it('shows a pipeline that is ready', () => {
    const run = xrayctl('status')
    expect(run.stdout.toString()).toContain('Pipeline xray/leipzig: Ready')
    expect(run.status).toBe(0)
  })
  it.each([
    ['a signal that is not there', ['signals', 'get', '0'.repeat(24)], 4],
    ['an id that is none', ['signals', 'get', 'x'], 2],
    ['a wrong token', ['signals', 'list', '--token', 'wrong'], 5],
    ['an API that is not there', ['signals', 'list', '--api', 'http://127.0.0.1:1'], 6],
    ['a file that is not there', ['send', 'nowhere.json'], 2],
    ['an unknown command', ['sing'], 2],
  ])('ends with its own code for %s', (_, args, code) => expect(xrayctl(...args).status).toBe(code))
})

it('a device in another language signs and is accepted', () => {
  const key = JSON.parse(xrayctl('devices', 'keygen', '66bb584d4ae73e488c30a072').stdout.toString()).key
  const run = spawnSync('python3', ['docs/devices/device.py', seedFile()], {
    env: { ...process.env, XRAY_DEVICE_KEY: key, XRAY_INGEST: 'http://127.0.0.1:30081' },
  })
  expect(run.stderr.toString()).toBe('')
  expect(run.stdout.toString()).toContain('202')
})
