import { setTimeout as delay } from 'node:timers/promises'
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { within } from './deadline.ts'
import type { Logger } from './log.ts'

const HEARTBEAT_SECONDS = 10
const CONNECT_LIMIT_MS = 10_000
const SET_UP_LIMIT_MS = 15_000
const WATCHDOG_MS = 10_000
const WATCHDOG_LIMIT_MS = 5_000
const LOWEST_BACKOFF_MS = 100
const HIGHEST_BACKOFF_MS = 10_000

export type LinkOptions = {
  uri: string
  vhost: string
  /** Shown in the broker's console. */
  name: string
  /** A queue that must be there; asked for by the watchdog. */
  queue: string
  /** What a new channel needs before it is used: checks, prefetch, consumers. */
  setUp: (channel: ConfirmChannel) => Promise<void>
  log: Logger
}

/** A connection with one confirm channel that is made anew whenever it is lost. */
export type Link = {
  /** The channel that serves now, or undefined while there is none. */
  channel: () => ConfirmChannel | undefined
  /** True while the broker asks publishers to stop: memory or disk alarm. */
  blocked: () => boolean
  /** Why there is no channel, or undefined. */
  problem: () => string | undefined
  close: () => Promise<void>
}

const addressOf = (uri: string, vhost: string) => {
  const { protocol, hostname, port, username, password } = new URL(uri)
  return {
    protocol: protocol.slice(0, -1),
    hostname,
    port: port === '' ? (protocol === 'amqps:' ? 5671 : 5672) : Number(port),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    vhost,
    heartbeat: HEARTBEAT_SECONDS,
  }
}

/**
 * Keeps a connection to the broker. amqplib's own recovery binds its listeners only after the set-up and so misses a
 * connection that is lost during it; here they come first, each attempt is a generation of its own, and a watchdog
 * asks the broker for the queue, because a half-open socket raises no event.
 * Waits between attempts are random up to a bound that doubles from 0.1 s to 10 s (full jitter).
 */
export const superviseLink = (options: LinkOptions): Link => {
  const { log } = options
  let channel: ConfirmChannel | undefined
  let blocked = false
  let problem: string | undefined = 'not connected yet'
  let endGeneration: (error: Error) => void = () => undefined
  const closing = new AbortController()

  const generation = async (): Promise<void> => {
    const lost = new Promise<never>((_, reject) => {
      endGeneration = reject
    })
    lost.catch(() => undefined) // awaited below; until then it must not count as unhandled
    const model: ChannelModel = await connect(addressOf(options.uri, options.vhost), {
      noDelay: true,
      keepAlive: true,
      timeout: CONNECT_LIMIT_MS,
      clientProperties: { connection_name: options.name },
    })
    const end = (error: Error) => endGeneration(error)
    try {
      model.on('error', end)
      model.on('close', () => end(new Error('the broker closed the connection')))
      model.on('blocked', () => {
        blocked = true
      })
      model.on('unblocked', () => {
        blocked = false
      })
      if (closing.signal.aborted) return
      const fresh = await Promise.race([
        lost,
        within(SET_UP_LIMIT_MS, 'opening a channel', model.createConfirmChannel()),
      ])
      fresh.on('error', end)
      fresh.on('close', () => end(new Error('the broker closed the channel')))
      await Promise.race([lost, within(SET_UP_LIMIT_MS, 'the set-up', options.setUp(fresh))])
      channel = fresh
      problem = undefined
      log.info(`connected to the broker as ${options.name}`)
      for (;;) {
        await Promise.race([lost, delay(WATCHDOG_MS, undefined, { signal: closing.signal })])
        await Promise.race([lost, within(WATCHDOG_LIMIT_MS, 'the watchdog', fresh.checkQueue(options.queue))])
      }
    } finally {
      channel = undefined
      blocked = false
      await within(1000, 'closing', model.close()).catch(() => undefined)
    }
  }

  const running = (async () => {
    let attempts = 0
    while (!closing.signal.aborted) {
      const startedAt = performance.now()
      await generation().catch((error: Error) => {
        problem = error.message
        if (!closing.signal.aborted) log.warn(`no connection to the broker: ${error.message}`)
      })
      attempts = performance.now() - startedAt > HIGHEST_BACKOFF_MS ? 0 : attempts + 1
      const bound = Math.min(HIGHEST_BACKOFF_MS, LOWEST_BACKOFF_MS * 2 ** attempts)
      await delay(Math.random() * bound, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  })()

  return {
    channel: () => channel,
    blocked: () => blocked,
    problem: () => problem,
    close: async () => {
      closing.abort()
      endGeneration(new Error('closing'))
      await running
    },
  }
}
