import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { byNumber, MASTER_ID } from '#contract/device-key.ts'
import { decideSigningKid } from '#contract/message-keys.ts'
import type { Logger } from './log.ts'

/** Keys by their id, as the files of the mounted Secret hold them. */
export type Keys = {
  /** `device-master-<masterId>`: what device keys are derived from, the newest last. */
  deviceMasters: Map<string, Buffer>
  /** `message-<kid>`: what messages are signed with. */
  messages: Map<string, Buffer>
  /** The message key that signs now. */
  signing: { kid: string; key: Buffer } | undefined
  apiAdminToken: string | undefined
}

const HEX_KEY = /^[0-9a-f]{64}$/

const readKey = (name: string, id: string, text: string): Buffer => {
  if (!MASTER_ID.test(id))
    throw new Error(`${name}: expected an id of at most 24 letters, digits, dashes or underscores`)
  if (!HEX_KEY.test(text)) throw new Error(`${name}: expected 64 lower-case hex digits, got ${text.length} characters`)
  return Buffer.from(text, 'hex')
}

/**
 * Reads the files of a folder.
 * @param since when each message key was first seen, in ms since the epoch; brought up to date
 * @throws Error when a key is malformed, or when there is none: a Secret that is not there mounts as an empty folder
 */
const read = (folder: string, since: Map<string, number>, nowMs: number): Keys => {
  const found: Record<'device-master' | 'message', [string, Buffer][]> = { 'device-master': [], message: [] }
  let apiAdminToken: string | undefined
  for (const name of readdirSync(folder)) {
    if (name.startsWith('.')) continue // the links by which Kubernetes swaps a mounted Secret
    const text = readFileSync(join(folder, name), 'utf8').trim()
    if (name === 'api-admin-token') apiAdminToken = text
    const [, kind, id] = /^(device-master|message)-(.+)$/.exec(name) ?? []
    if (kind !== undefined && id !== undefined) found[kind as keyof typeof found].push([id, readKey(name, id, text)])
  }
  if (found.message.length + found['device-master'].length === 0 && apiAdminToken === undefined)
    throw new Error(`${folder} holds no key`)
  const messages = new Map(found.message)
  for (const kid of since.keys()) if (!messages.has(kid)) since.delete(kid)
  for (const kid of messages.keys()) if (!since.has(kid)) since.set(kid, nowMs)
  const kid = decideSigningKid(since, nowMs)
  const key = kid === undefined ? undefined : messages.get(kid)
  return {
    deviceMasters: new Map(found['device-master'].sort(([a], [b]) => byNumber(a, b))),
    messages,
    signing: kid === undefined || key === undefined ? undefined : { kid, key },
    apiAdminToken,
  }
}

const RELOAD_MS = 5_000

/**
 * The keys of a mounted Secret, read again every 5 s, so that a rotation needs no restart. A folder that cannot be read
 * later, or that is empty then, leaves the keys as they were.
 * @throws Error when it cannot be read at first
 */
export const watchKeys = (folder: string, log: Logger): { current: () => Keys; close: () => void } => {
  const since = new Map<string, number>()
  let keys = read(folder, since, Date.now())
  const timer = setInterval(() => {
    try {
      keys = read(folder, since, Date.now())
    } catch (error) {
      log.error({ err: error }, `keys in ${folder} cannot be read; the former stay`)
    }
  }, RELOAD_MS)
  timer.unref()
  return { current: () => keys, close: () => clearInterval(timer) }
}
