import { DEVICE_ID } from '#contract/ids.ts'
import { ask, deviceOf, json, type Output, type World } from './commands.ts'
import { agreed } from './consent.ts'
import { EXIT, Failure } from './failure.ts'
import { toTable } from './table.ts'

type KeyView = { keyId: string; state: string; live: boolean; notAfter: string | null; lastUsedAt: string | null }
type DeviceView = { deviceId: string; disabled: boolean; lastUsedAt: string | null; keys: KeyView[] }

const pathOf = (deviceId: string): string => {
  if (DEVICE_ID.test(deviceId)) return `/api/devices/${deviceId}`
  throw new Failure(EXIT.usage, `device: expected 24 lower-case hex digits, got "${deviceId}"`)
}

const keysText = (keys: KeyView[]): string =>
  keys
    .filter(({ live }) => live)
    .map(({ keyId, state, notAfter }) => `${keyId} ${state}${notAfter === null ? '' : ` until ${notAfter}`}`)
    .join(', ') || 'none'

const usedText = (lastUsedAt: string | null): string => lastUsedAt ?? 'never'

export const listDevices = async (world: World, query: URLSearchParams, output: Output): Promise<number> => {
  const page = (await (await ask(world, `/api/devices?${query}`)).json()) as {
    data: DeviceView[]
    pagination: { nextCursor: string | null }
  }
  if (output === 'json') world.out(json(page))
  else {
    const rows = page.data.map(({ deviceId, disabled, lastUsedAt, keys }) => [
      deviceId,
      disabled ? 'disabled' : 'enabled',
      usedText(lastUsedAt),
      keysText(keys),
    ])
    world.out(toTable(['DEVICE', 'STATE', 'LAST USED', 'LIVE KEYS'], rows))
    if (page.pagination.nextCursor !== null) world.tell(`more: --cursor ${page.pagination.nextCursor}`)
  }
  return EXIT.ok
}

export const keygen = async (world: World, deviceId: string, keyId: string): Promise<number> => {
  const device = await deviceOf(world, deviceId, keyId)
  world.out(json({ deviceId, keyId, key: device.key.toString('hex') }))
  return EXIT.ok
}

export type Rotation = {
  keyId: string | undefined
  /** A key of the device's own comes by standard input: on a command line everybody on the machine could read it. */
  secretStdin: boolean
  notBefore: string | undefined
  notAfter: string | undefined
  retireAfterMs: number
}

const readSecret = async (world: World): Promise<string> => {
  const secret = Buffer.concat(await world.input.toArray())
    .toString('utf8')
    .trim()
  if (!/^[0-9a-f]{64}$/.test(secret))
    throw new Failure(EXIT.usage, `standard input: expected 64 lower-case hex digits, got ${secret.length} characters`)
  return secret
}

export const rotate = async (world: World, deviceId: string, rotation: Rotation): Promise<number> => {
  const { keyId, secretStdin, notBefore, notAfter, retireAfterMs } = rotation
  const secret = secretStdin ? await readSecret(world) : undefined
  const body = { keyId, secret, notBefore, notAfter, retireAfterSeconds: Math.ceil(retireAfterMs / 1000) }
  const answer = await ask(world, `${pathOf(deviceId)}/keys`, { method: 'POST', body: JSON.stringify(body) })
  const made = (await answer.json()) as { keyId: string; device: DeviceView }
  world.out(json({ deviceId, ...made }))
  world.tell(`live keys: ${keysText(made.device.keys)}`)
  if (secret === undefined) world.tell(`its new key: xrayctl devices keygen ${deviceId} --key-id ${made.keyId}`)
  return EXIT.ok
}

const find = async (world: World, deviceId: string): Promise<DeviceView> =>
  (await (await ask(world, pathOf(deviceId))).json()) as DeviceView

export const revoke = async (world: World, deviceId: string, keyId: string, yes: boolean): Promise<number> => {
  const { keys } = await find(world, deviceId)
  const key = keys.find((candidate) => candidate.keyId === keyId)
  if (key === undefined) throw new Failure(EXIT.notFound, `the device ${deviceId} has no key "${keyId}"`)
  const left = keys.filter((candidate) => candidate !== key)
  const rest = left.some(({ live }) => live)
    ? `It is left with ${keysText(left)}.`
    : 'It is left without a key and can send nothing more.'
  const what = `Revoke the key ${keyId} of the device ${deviceId}, last used ${usedText(key.lastUsedAt)}, for good? ${rest}`
  await agreed(world, what, yes)
  const path = `${pathOf(deviceId)}/keys/${encodeURIComponent(keyId)}/revoke`
  world.out(json(await (await ask(world, path, { method: 'POST' })).json()))
  return EXIT.ok
}

const setDisabled = async (world: World, deviceId: string, disabled: boolean): Promise<number> => {
  world.out(
    json(await (await ask(world, pathOf(deviceId), { method: 'PUT', body: JSON.stringify({ disabled }) })).json()),
  )
  return EXIT.ok
}

export const enable = (world: World, deviceId: string): Promise<number> => setDisabled(world, deviceId, false)

export const disable = async (world: World, deviceId: string, yes: boolean): Promise<number> => {
  await agreed(world, `Disable the device ${deviceId}? Whatever it sends is refused until it is enabled.`, yes)
  return setDisabled(world, deviceId, true)
}
