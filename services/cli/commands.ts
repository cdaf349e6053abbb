import type { Readable } from 'node:stream'
import { readDerivedKeyId } from '#contract/device-key.ts'
import { DEVICE_ID } from '#contract/ids.ts'
import { readRecording } from '#contract/recording.ts'
import type { TraceContext } from '#contract/traceparent.ts'
import type { Cluster } from './cluster.ts'
import { type Device, deviceFrom, post } from './device.ts'
import { EXIT, exitOf, Failure } from './failure.ts'
import { askApi, problemText } from './http.ts'
import { type SettingName, type Settings, shownSetting } from './settings.ts'
import { toTable } from './table.ts'
import type { Terminal } from './terminal.ts'

/** What commands do to the outside: data to `out`, everything else to `tell`. */
export type World = {
  settings: Settings
  cluster: () => Cluster
  out: (text: string | Buffer) => void
  tell: (line: string) => void
  read: (file: string) => Promise<Buffer>
  /** Writes a file that only its owner may read. */
  write: (file: string, bytes: Buffer) => Promise<void>
  input: Readable
  now: () => number
  nonce: () => string
  delay: (ms: number, signal?: AbortSignal) => Promise<void>
  nodeVersion: string
  terminal: Terminal
  /** True when `out` goes to a terminal, and then whether it takes colours. */
  screen: boolean
  colour: boolean
  /** Aborts when the user interrupts. */
  signal: AbortSignal
}

export type Output = 'table' | 'json'

/** Makes a command's handler of a function that returns the exit code. */
export type Act = <A extends object>(
  run: (world: World, args: A) => Promise<number> | number,
) => (args: A) => Promise<void>

/** Data as `-o json` prints it. */
export const json = (value: unknown): string => JSON.stringify(value, null, 2)

export const tokenOf = async ({ settings, cluster }: World): Promise<string> =>
  settings.token.value || cluster().key('api-admin-token')

/** Asks the API as the user that the settings name. */
export const ask = async (
  world: World,
  path: string,
  request: { method?: string; body?: string } = {},
): Promise<Response> => askApi(world.settings.api.value, path, await tokenOf(world), request)

/** A device's key: given, or derived from the pipeline's master key. */
export const deviceOf = async (world: World, deviceId: string, keyId: string): Promise<Device> => {
  if (!DEVICE_ID.test(deviceId))
    throw new Failure(EXIT.usage, `device: expected 24 lower-case hex digits, got "${deviceId}"`)
  const given = world.settings.deviceKey.value
  if (given === '') {
    const { masterId } = readDerivedKeyId(keyId) ?? { masterId: keyId }
    return deviceFrom(await world.cluster().key(`device-master-${masterId}`), deviceId, keyId)
  }
  if (!/^[0-9a-f]{64}$/.test(given)) throw new Failure(EXIT.usage, 'device key: expected 64 lower-case hex digits')
  return { deviceId, keyId, key: Buffer.from(given, 'hex') }
}

const WAIT_MS = 30_000

const untilStored = async (world: World, messageId: string, deviceId: string): Promise<string> => {
  const deadline = world.now() + WAIT_MS
  for (;;) {
    const page = (await (await ask(world, `/api/signals?deviceId=${deviceId}&sort=processedAt&limit=100`)).json()) as {
      data: { id: string; messageId: string }[]
    }
    const signal = page.data.find((candidate) => candidate.messageId === messageId)
    if (signal !== undefined) return signal.id
    if (world.now() > deadline)
      throw new Failure(EXIT.timeout, `accepted as ${messageId}, but not readable after ${WAIT_MS / 1000} s`)
    await world.delay(250)
  }
}

const randomHex = (world: World): string => Buffer.from(world.nonce(), 'base64url').toString('hex')

/** A trace that begins here. It is sampled whatever the producer's ratio: who sends one message by hand wants to see it. */
const newTrace = (world: World): TraceContext => ({
  traceId: randomHex(world),
  spanId: randomHex(world).slice(0, 16),
  sampled: true,
})

/** Sends a file as it lies, byte by byte; the device is the one that it names unless another is given. */
export const send = async (
  world: World,
  file: string,
  options: { device: string | undefined; keyId: string; wait: boolean },
): Promise<number> => {
  const body = file === '-' ? Buffer.concat(await world.input.toArray()) : await world.read(file)
  const read = readRecording(body, world.now())
  const deviceId = options.device ?? (read.ok ? read.recording.deviceId : undefined)
  if (deviceId === undefined)
    throw new Failure(
      EXIT.usage,
      `${file}: no device can be read from it${read.ok ? '' : ` (${read.fault.pointer || '/'}: ${read.fault.detail})`}; name one with --device`,
    )
  const device = await deviceOf(world, deviceId, options.keyId)
  const trace = newTrace(world)
  const timestampSeconds = Math.floor(world.now() / 1000)
  const answer = await post(world.settings.ingest.value, device, body, world.nonce(), timestampSeconds, trace)
  if (answer.status !== 202 || answer.messageId === undefined)
    throw new Failure(exitOf(answer.status), `ingest answered ${problemText(answer.status, answer.problem)}`)
  const id = options.wait ? await untilStored(world, answer.messageId, deviceId) : undefined
  world.out(
    json({
      messageId: answer.messageId,
      status: 'accepted',
      traceId: trace.traceId,
      ...(id !== undefined && { id }),
    }),
  )
  return EXIT.ok
}

type SignalView = {
  id: string
  deviceId: string
  time: string
  dataPoints: number
  dataVolume: number
  stats: { distanceMeters: number }
}

export const list = async (world: World, query: URLSearchParams, output: Output): Promise<number> => {
  const page = (await (await ask(world, `/api/signals?${query}`)).json()) as {
    data: SignalView[]
    pagination: { page: number; totalPages: number; total: number }
  }
  if (output === 'json') world.out(json(page))
  else {
    const rows = page.data.map(({ id, deviceId, time, dataPoints, dataVolume, stats }) => [
      id,
      deviceId,
      time,
      String(dataPoints),
      String(dataVolume),
      `${Math.round(stats.distanceMeters)} m`,
    ])
    world.out(toTable(['ID', 'DEVICE', 'TIME', 'POINTS', 'BYTES', 'DISTANCE'], rows))
    world.tell(`page ${page.pagination.page} of ${page.pagination.totalPages}, ${page.pagination.total} signals`)
  }
  return EXIT.ok
}

export const get = async (world: World, id: string): Promise<number> => {
  world.out(json(await (await ask(world, `/api/signals/${encodeURIComponent(id)}`)).json()))
  return EXIT.ok
}

export const raw = async (world: World, id: string): Promise<number> => {
  world.out(Buffer.from(await (await ask(world, `/api/signals/${encodeURIComponent(id)}/raw`)).arrayBuffer()))
  return EXIT.ok
}

export const viewConfig = (world: World): number => {
  const rows = (Object.entries(world.settings) as [SettingName, Settings[SettingName]][]).map(([name, setting]) => [
    name,
    shownSetting(name, setting),
    setting.source,
  ])
  world.out(toTable(['SETTING', 'VALUE', 'FROM'], rows))
  return EXIT.ok
}
