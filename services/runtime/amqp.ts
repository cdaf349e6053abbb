import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { within } from './deadline.ts'
import { gatherWrites } from './gathered-writes.ts'
import type { Logger } from './log.ts'

/** amqplib gives a silent connection up after two to three of these: 16 to 24 s. */
const HEARTBEAT_SECONDS = 8
const CONNECT_LIMIT_MS = 10_000
const SET_UP_LIMIT_MS = 15_000
const WATCHDOG_MS = 10_000
const WATCHDOG_LIMIT_MS = 5_000
const LEAVE_LIMIT_MS = 1_000
const LOWEST_BACK_OFF_MS = 100
const HIGHEST_BACK_OFF_MS = 10_000

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
  /** From 0 to 1, for the waits between attempts. */
  random?: () => number
}

/** A connection with one confirm channel that is made anew whenever it is lost. */
export type Link = {
  /** The channel that serves now, or undefined while there is none. */
  channel: () => ConfirmChannel | undefined
  /** True while the broker asks publishers to stop: memory or disk alarm. Told with a connection's first publication. */
  blocked: () => boolean
  /** Why there is no channel, or undefined. */
  problem: () => string | undefined
  /** Resolves when the socket is gone, after a second at most; what was acknowledged before has reached the broker. */
  close: () => Promise<void>
}

/**
 * How long to wait before the next attempt, ms: random from 0.1 s up to a bound that doubles with every failure, from
 * 0.2 s to 10 s, so that processes that lost the broker together do not come back together.
 * @param failures in a row, at least 1
 * @param random from 0 to 1
 */
export const backOffMs = (failures: number, random: number): number => {
  const boundMs = Math.min(HIGHEST_BACK_OFF_MS, LOWEST_BACK_OFF_MS * 2 ** failures)
  return LOWEST_BACK_OFF_MS + random * (boundMs - LOWEST_BACK_OFF_MS)
}

/** Where a broker listens by its address: without a port at 5671 for amqps, at 5672 for amqp. */
export const brokerPort = ({ protocol, port }: URL): number =>
  port === '' ? (protocol === 'amqps:' ? 5671 : 5672) : Number(port)

const addressOf = (uri: string, vhost: string) => {
  const url = new URL(uri)
  const { protocol, hostname, username, password } = url
  return {
    protocol: protocol.slice(0, -1),
    hostname,
    port: brokerPort(url),
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    vhost,
    heartbeat: HEARTBEAT_SECONDS,
  }
}

/** amqplib's connection has its socket here; the types do not say so. */
const socketOf = ({ connection }: ChannelModel): Writable => (connection as unknown as { stream: Writable }).stream

/** amqplib drops the broker's reason when it refuses the vhost, the last step of the handshake. */
const refusalOf = (vhost: string) => (error: Error) => {
  throw error.message.startsWith('Expected ConnectionOpenOk; got <ConnectionClose')
    ? new Error(`the broker refuses vhost "${vhost}": it is missing, down or not this user's`, { cause: error })
    : error
}

/**
 * Takes leave in order. The channel goes first: amqplib writes the connection's close past what the channel still
 * holds, and acknowledgements would be lost. A broker that blocks us reads nothing and is not asked.
 */
const leave = async (model: ChannelModel, channel: ConfirmChannel | undefined, blocked: boolean): Promise<void> => {
  if (!blocked) await channel?.close().catch(() => undefined)
  await model.close()
}

/**
 * Keeps a connection to the broker. Each attempt is a generation of its own, and whatever ends one (an error, a close,
 * a cancelled consumer, a limit, a lost socket, `close`) ends it at any stage. amqplib's own recovery binds its
 * listeners after the set-up and misses a connection that is lost during it; here they are bound with the connection.
 * A half-open socket raises no event: a watchdog asks for the queue every 10 s and waits for 5 s. While the broker
 * blocks us it answers nothing but sends heartbeats, and these decide.
 */
export const superviseLink = (options: LinkOptions): Link => {
  const { log, name, random = Math.random } = options
  let channel: ConfirmChannel | undefined
  let blocked = false
  let problem: string | undefined = 'not connected yet'
  const closing = new AbortController()

  const generation = async (): Promise<void> => {
    const socket = new AbortController() // destroys the socket, even one that is not connected yet
    const { promise: lost, reject: end } = Promise.withResolvers<never>()
    lost.catch(() => undefined) // awaited below; until then it must not count as unhandled
    closing.signal.addEventListener('abort', () => end(new Error('closing')), { signal: socket.signal })

    const stage = async <T>(what: string, limitMs: number, work: Promise<T>): Promise<T> => {
      const timer = setTimeout(() => blocked || end(new Error(`${what} took more than ${limitMs} ms`)), limitMs)
      return Promise.race([lost, work]).finally(() => clearTimeout(timer))
    }
    // Bound in the turn in which amqplib hands it over, also when this generation has ended meanwhile: an `error` that
    // nobody listens to ends the process.
    const withListeners = (model: ChannelModel): ChannelModel =>
      model
        .on('error', end)
        .on('close', (error) => end(error ?? new Error('the broker closed the connection')))
        .on('blocked', (reason) => {
          blocked = true
          log.warn(`the broker takes no publications from ${name}: ${reason}`)
        })
        .on('unblocked', () => {
          blocked = false
          log.info(`the broker takes publications from ${name} again`)
        })
    // One turn later: the call that made the broker close the channel is rejected first and says more.
    const endSoon = (message: string) => setImmediate(() => end(new Error(message)))
    const withChannelListeners = (fresh: ConfirmChannel): ConfirmChannel =>
      fresh
        .on('error', (error) => endSoon(error.message))
        .on('handler-error', (error) => end(error))
        .on('cancel', () =>
          endSoon('the broker cancelled the consumer: its queue went away, or it held a message too long'),
        )
        .on('close', () => endSoon('the channel was closed'))

    let model: ChannelModel | undefined
    let fresh: ConfirmChannel | undefined
    try {
      const socketOptions = {
        noDelay: true,
        keepAlive: true,
        signal: socket.signal,
        clientProperties: { connection_name: name },
      }
      const connecting = connect(addressOf(options.uri, options.vhost), socketOptions)
      model = await stage<ChannelModel>(
        'connecting',
        CONNECT_LIMIT_MS,
        connecting.then(withListeners, refusalOf(options.vhost)),
      )
      gatherWrites(socketOf(model))
      fresh = await stage<ConfirmChannel>(
        'opening a channel',
        SET_UP_LIMIT_MS,
        model.createConfirmChannel().then(withChannelListeners),
      )
      await stage('the set-up', SET_UP_LIMIT_MS, options.setUp(fresh))
      channel = fresh
      problem = undefined
      log.info(`connected to the broker as ${name}`)
      for (;;) {
        await Promise.race([lost, delay(WATCHDOG_MS, undefined, { signal: socket.signal })])
        if (!blocked) await stage('the answer to the watchdog', WATCHDOG_LIMIT_MS, fresh.checkQueue(options.queue))
      }
    } catch (error) {
      channel = undefined
      problem = (error as Error).message
      if (!closing.signal.aborted) log.warn(`no connection to the broker for ${name}: ${problem}`)
    } finally {
      if (model !== undefined)
        await within(LEAVE_LIMIT_MS, 'leaving', leave(model, fresh, blocked)).catch(() => undefined)
      blocked = false
      socket.abort()
    }
  }

  const running = (async () => {
    let failures = 0
    while (!closing.signal.aborted) {
      const startedAt = performance.now()
      await generation()
      failures = performance.now() - startedAt > HIGHEST_BACK_OFF_MS ? 1 : failures + 1
      await delay(backOffMs(failures, random()), undefined, { signal: closing.signal }).catch(() => undefined)
    }
  })()

  return {
    channel: () => channel,
    blocked: () => blocked,
    problem: () => problem,
    close: () => {
      closing.abort()
      return running
    },
  }
}
