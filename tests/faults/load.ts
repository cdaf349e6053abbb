import { createHash } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { deriveDeviceKey } from '#contract/device-key.ts'
import { sha256Hex } from '#contract/digest.ts'
import { messageIdFor } from '#contract/ids.ts'
import { signRequest } from '#contract/request-signature.ts'
import type { LedgerEntry } from './oracle.ts'

/** Where a producer listens. */
export type Target = { host: string; port: number }

export type LoadOptions = {
  /** The producers; asked before each attempt, and taken in turn. */
  targets: () => Target[]
  messages: number
  ratePerSecond: number
  /** Of what all bodies and nonces follow; the same seed sends the same bytes. */
  seed: string
  /** What device keys are derived from. */
  master: Buffer
  keyId: string
  /** How long a message is tried before it is given up. */
  patienceMs: number
}

export type Load = {
  /** Grows while the load runs. */
  ledger: LedgerEntry[]
  /** Answers by status; connections that were lost count as 0. */
  answers: Map<number, number>
  /** The slowest answer of any status. */
  slowestMs: () => number
  longestGapMs: () => number
  accepted: () => number
  /** Resolves when every message is accepted, refused or given up. */
  done: Promise<void>
  /** Sends no new message; those begun are tried to their end. */
  stop: () => void
  /** Gives everything up. */
  close: () => void
}

const DEVICES = 16
const ATTEMPT_LIMIT_MS = 20_000
const MOST_BACKOFF_MS = 1_000
const DAY_AGO_MS = 86_400_000

export type Reply = { status: number; text: string; headers: Record<string, string | string[] | undefined> }

/** One POST over kept connections; status 0 when the connection was lost. */
export const post = (agent: Agent, target: Target, headers: Record<string, string>, body: Buffer): Promise<Reply> =>
  new Promise((resolve) => {
    const lost = (error: Error) => resolve({ status: 0, text: error.message, headers: {} })
    const options = { agent, ...target, method: 'POST', path: '/v1/ingest', timeout: ATTEMPT_LIMIT_MS }
    const sent = request({ ...options, headers: { ...headers, 'content-length': body.length } }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('error', lost)
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString(), headers: answer.headers }),
      )
    })
    sent.on('timeout', () => sent.destroy(new Error('no answer')))
    sent.on('error', lost)
    sent.end(body)
  })

/** Bytes that follow from a seed. */
const bytesOf = (...parts: (string | number)[]): Buffer => createHash('sha256').update(parts.join('\n')).digest()

export const deviceIdOf = (index: number): string => `66bb584d4ae73e488c3${String(index).padStart(5, '0')}`

/** A recording of 14 to 130 points: 1 to 8 KB. */
export const bodyOf = (deviceId: string, timestamp: number, points: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      deviceId,
      timestamp,
      data: Array.from({ length: points }, (_, point) => [
        point * 1001,
        [51.339764 + point / 1e5, 12.339223833333334 + point / 1e5, 1.2038000000000002 + point / 100],
      ]),
    }),
  )

/** A request that a device signed: repeated, it is the same request byte for byte. */
export type SignedPost = { headers: Record<string, string>; body: Buffer; entry: LedgerEntry }

export const signPost = (
  master: Buffer,
  keyId: string,
  message: { deviceId: string; nonce: string; body: Buffer; timestampSeconds: number },
): SignedPost => {
  const { deviceId, nonce, body, timestampSeconds } = message
  const bodySha256Hex = sha256Hex(body)
  const signed = { method: 'POST', path: '/v1/ingest', deviceId, keyId, timestampSeconds, nonce, bodySha256Hex }
  const signature = signRequest(deriveDeviceKey(master, deviceId, keyId), signed).toString('hex')
  return {
    headers: {
      'content-type': 'application/json',
      'x-device-id': deviceId,
      'x-key-id': keyId,
      'x-timestamp': String(timestampSeconds),
      'x-nonce': nonce,
      'x-signature': `v1=${signature}`,
    },
    body,
    entry: {
      messageId: messageIdFor(deviceId, nonce, bodySha256Hex),
      sha256Hex: bodySha256Hex,
      accepted: false,
      attempts: 0,
      expect: 'stored',
    },
  }
}

const isRefusal = (status: number): boolean => status >= 400 && status < 500 && status !== 429

/**
 * Sends signed recordings at a fixed rate, as devices do: what is answered with 503, or not at all, is sent again with
 * the same nonce and bytes, after 0.1 s at first and 1 s at most.
 */
export const startLoad = (options: LoadOptions): Load => {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const startedAt = performance.now()
  const firstTimestamp = Date.now() - DAY_AGO_MS
  const ledger: LedgerEntry[] = []
  const answers = new Map<number, number>()
  let [accepted, lastAcceptedAt, longestGapMs, slowestMs, turn] = [0, startedAt, 0, 0, 0]
  let [stopped, closed] = [false, false]

  const note = (): void => {
    accepted++
    const now = performance.now()
    longestGapMs = Math.max(longestGapMs, now - lastAcceptedAt)
    lastAcceptedAt = now
  }

  const send = async (index: number): Promise<void> => {
    const random = bytesOf(options.seed, index)
    const deviceId = deviceIdOf(index % DEVICES)
    const { headers, body, entry } = signPost(options.master, options.keyId, {
      deviceId,
      nonce: random.subarray(0, 16).toString('base64url'),
      body: bodyOf(deviceId, firstTimestamp + index, 14 + (random.readUInt16BE(16) % 117)),
      timestampSeconds: Math.floor(Date.now() / 1000),
    })
    ledger.push(entry)
    const until = performance.now() + options.patienceMs
    while (!closed && performance.now() < until) {
      const targets = options.targets()
      const target = targets[turn++ % targets.length]
      if (target !== undefined) {
        const postedAt = performance.now()
        entry.attempts++
        const { status } = await post(agent, target, headers, body)
        slowestMs = Math.max(slowestMs, performance.now() - postedAt)
        answers.set(status, (answers.get(status) ?? 0) + 1)
        if (status === 202) {
          entry.accepted = true
          return note()
        }
        if (isRefusal(status)) return
      }
      await delay(Math.min(MOST_BACKOFF_MS, 100 * 2 ** Math.min(entry.attempts, 5)) * (0.5 + (random[18] ?? 0) / 512))
    }
  }

  const run = async (): Promise<void> => {
    const sending: Promise<void>[] = []
    for (let index = 0; index < options.messages && !stopped; index++) {
      const wait = startedAt + (index * 1000) / options.ratePerSecond - performance.now()
      if (wait > 1) await delay(wait)
      sending.push(send(index))
    }
    await Promise.all(sending)
    agent.destroy()
  }

  return {
    ledger,
    answers,
    slowestMs: () => Math.round(slowestMs),
    longestGapMs: () => Math.round(longestGapMs),
    accepted: () => accepted,
    done: run(),
    stop: () => {
      stopped = true
    },
    close: () => {
      stopped = true
      closed = true
    },
  }
}
