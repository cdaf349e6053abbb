import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from './log.ts'

/** Keys by their id, as the files of the mounted Secret hold them. */
export type Keys = {
  /** `device-master-<keyId>`: what device keys are derived from. */
  deviceMasters: Map<string, Buffer>
  /** `message-<kid>`: what messages are signed with; the one whose id sorts last signs. */
  messages: Map<string, Buffer>
  apiAdminToken: string | undefined
}

const HEX_KEY = /^[0-9a-f]{64}$/

const read = (folder: string): Keys => {
  const keys: Keys = { deviceMasters: new Map(), messages: new Map(), apiAdminToken: undefined }
  for (const name of readdirSync(folder)) {
    if (name.startsWith('.')) continue // the links by which Kubernetes swaps a mounted Secret
    const text = readFileSync(join(folder, name), 'utf8').trim()
    if (name === 'api-admin-token') keys.apiAdminToken = text
    const [, kind, id] = /^(device-master|message)-(.+)$/.exec(name) ?? []
    if (kind === undefined || id === undefined) continue
    if (!HEX_KEY.test(text))
      throw new Error(`${name}: expected 64 lower-case hex digits, got ${text.length} characters`)
    const target = kind === 'message' ? keys.messages : keys.deviceMasters
    target.set(id, Buffer.from(text, 'hex'))
  }
  return keys
}

const RELOAD_MS = 5_000

/**
 * The keys of a mounted Secret, read again every 5 s, so that a rotation needs no restart. A folder that cannot be read
 * later leaves the keys as they were.
 * @throws Error when it cannot be read at first
 */
export const watchKeys = (folder: string, log: Logger): { current: () => Keys; close: () => void } => {
  let keys = read(folder)
  const timer = setInterval(() => {
    try {
      keys = read(folder)
    } catch (error) {
      log.error({ err: error }, `keys in ${folder} cannot be read; the former stay`)
    }
  }, RELOAD_MS)
  timer.unref()
  return { current: () => keys, close: () => clearInterval(timer) }
}

/** The message key that signs: the newest, by its id. */
export const signingKey = (keys: Keys): { kid: string; key: Buffer } | undefined => {
  const kid = [...keys.messages.keys()].sort().at(-1)
  const key = kid === undefined ? undefined : keys.messages.get(kid)
  return kid === undefined || key === undefined ? undefined : { kid, key }
}
