import { setTimeout as delay } from 'node:timers/promises'
import { type ConfirmChannel, connect } from 'amqplib'
import { type Link, type LinkOptions, superviseLink } from '#runtime/amqp.ts'
import { createLog } from '#runtime/log.ts'
import { address, kubectl, secret } from '../e2e/cluster.ts'
import { openProxy } from '../network/proxy.ts'

/** Waits for a condition that holds within milliseconds when it holds at all. */
export const soon = async <T>(what: string, limitMs: number, probe: () => T | undefined | false): Promise<T> => {
  const deadline = performance.now() + limitMs
  for (;;) {
    const value = probe()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`)
    await delay(5)
  }
}

/** Runs rabbitmqctl in the broker's pod. */
export const rabbitmqctl = (...args: string[]): Promise<string> =>
  kubectl(['exec', '-n', 'xray', 'xray-rabbitmq-0', '-c', 'rabbitmq', '--', 'rabbitmqctl', '--quiet', ...args])

/** A vhost of its own on the cluster's broker, a way to it that can be disturbed, and one that cannot. */
export type Stand = {
  vhost: string
  proxy: Awaited<ReturnType<typeof openProxy>>
  /** An undisturbed channel, to declare and to look. */
  direct: ConfirmChannel
  /** What a link through the proxy needs. Any part can be changed. */
  linkOptions: LinkOptions
  /** A link through the proxy, closed by `endLinks`. */
  openLink: (change?: Partial<LinkOptions>) => Link
  /** Ready messages of a queue. */
  depth: (queue: string) => Promise<number>
  /** Closes every link. @throws Error when a socket stays open */
  endLinks: () => Promise<void>
  close: () => Promise<void>
}

export const QUORUM = { durable: true, arguments: { 'x-queue-type': 'quorum' } }

/** @param name of the vhost, with the process beside it: another checkout may use the same cluster now */
export const openStand = async (name: string): Promise<Stand> => {
  const vhost = `test-${name}-${process.pid}`
  const host = await address('xray-rabbitmq')
  const password = await secret('xray-rabbitmq', 'password')
  const manage = async (method: string, path: string, body?: unknown): Promise<void> => {
    const answer = await fetch(`http://${host}:15672/api/${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`xray:${password}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  await manage('PUT', `vhosts/${vhost}`, {})
  await manage('PUT', `permissions/${vhost}/xray`, { configure: '.*', write: '.*', read: '.*' })

  const proxy = await openProxy({ host, port: 5672 })
  const model = await connect({ hostname: host, username: 'xray', password, vhost })
  const direct = await model.createConfirmChannel()
  await direct.assertQueue('q', QUORUM)

  const linkOptions: LinkOptions = {
    uri: `amqp://xray:${encodeURIComponent(password)}@127.0.0.1:${proxy.port}`,
    vhost,
    name: `test-${name}`,
    queue: 'q',
    setUp: async () => undefined,
    log: createLog('test', 'silent'),
    random: () => 0,
  }
  let links: Link[] = []
  return {
    vhost,
    proxy,
    direct,
    linkOptions,
    openLink: (change = {}) => {
      const link = superviseLink({ ...linkOptions, ...change })
      links.push(link)
      return link
    },
    depth: async (queue) => (await direct.checkQueue(queue)).messageCount,
    endLinks: async () => {
      proxy.admit()
      proxy.requests({ kind: 'pass' })
      proxy.answers({ kind: 'pass' })
      await Promise.all(links.map((link) => link.close()))
      links = []
      await soon('every socket to be closed', 1000, () => proxy.connections() === 0)
    },
    close: async () => {
      await proxy.close()
      await model.close()
      await manage('DELETE', `vhosts/${vhost}`)
    },
  }
}

/** The channel of a link, as soon as it serves. */
export const serving = (link: Link, limitMs = 10_000) =>
  soon('the link to serve', limitMs, link.channel).catch((error: Error) => {
    throw new Error(`${error.message}: ${link.problem()}`)
  })

/** The channel of the link's next generation. */
export const servingAnew = (link: Link, old: unknown, limitMs = 10_000) =>
  soon('the link to serve anew', limitMs, () => {
    const channel = link.channel()
    return channel !== undefined && channel !== old && channel
  })
