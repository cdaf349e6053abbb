import { setTimeout as delay } from 'node:timers/promises'
import type { ConfirmChannel } from 'amqplib'
import { type Link, type LinkOptions, superviseLink } from '#runtime/amqp.ts'
import { createLog } from '#runtime/log.ts'
import { kubectl } from '../e2e/cluster.ts'
import { openProxy } from '../network/proxy.ts'
import { findServers } from '../stand/servers.ts'
import { openVhost } from '../stand/vhost.ts'

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

/** @param name prefix of the vhost's */
export const openStand = async (name: string): Promise<Stand> => {
  const [vhost, { rabbitmq }] = [await openVhost(name), await findServers()]
  const proxy = await openProxy(rabbitmq.address)
  const model = await vhost.connect()
  const direct = await model.createConfirmChannel()
  await direct.assertQueue('q', QUORUM)

  const linkOptions: LinkOptions = {
    uri: rabbitmq.uriVia({ host: '127.0.0.1', port: proxy.port }),
    vhost: vhost.name,
    name: `test-${name}`,
    queue: 'q',
    setUp: async () => undefined,
    log: createLog('test', 'silent'),
    random: () => 0,
  }
  let links: Link[] = []
  return {
    vhost: vhost.name,
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
      await soon('every socket to be closed', 10_000, () => proxy.connections() === 0)
    },
    close: async () => {
      await proxy.close()
      await model.close()
      await vhost.close()
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
