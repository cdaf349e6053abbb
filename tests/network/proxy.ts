import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/** What the proxy does with the bytes of one direction. */
export type Manner =
  /** Hands them on. */
  | { kind: 'pass' }
  /** Takes them and forgets them; the sender sees nothing: a half-open connection. */
  | { kind: 'swallow' }
  /** Hands them on after so many ms, in order. */
  | { kind: 'delay'; ms: number }

export type Proxy = {
  port: number
  /** Connections that are open now. */
  connections: () => number
  /** Connections that were ever taken. */
  accepted: () => number
  /** From now on, for connections that are open as well. */
  requests: (manner: Manner) => void
  answers: (manner: Manner) => void
  /** Ends every open connection with a reset. */
  reset: () => void
  /** Ends the next connection with a reset once the client has sent so many bytes. */
  resetAfter: (clientBytes: number) => void
  /** Takes no connection until `admit`: each is reset at once. Open ones go on. */
  refuse: () => void
  admit: () => void
  close: () => Promise<void>
}

/** A TCP proxy on loopback that disturbs what flows through it: a real socket between a client and a real server. */
export const openProxy = async (target: { host: string; port: number }): Promise<Proxy> => {
  let toServer = { kind: 'pass' } as Manner
  let toClient = toServer
  let refusing = false
  let budget: number | undefined
  let accepted = 0
  const open = new Set<Socket>()

  const pump = (from: Socket, to: Socket, manner: () => Manner, seen: (bytes: number) => void): void => {
    let last = Promise.resolve()
    from.on('data', (bytes) => {
      seen(bytes.length)
      const { kind, ...rest } = manner()
      if (kind === 'swallow') return
      const ms = 'ms' in rest ? rest.ms : 0
      const due = ms === 0 ? Promise.resolve() : new Promise<void>((resolve) => setTimeout(resolve, ms))
      last = Promise.all([last, due]).then(() => {
        if (to.writable && !to.write(bytes)) {
          from.pause()
          to.once('drain', () => from.resume())
        }
      })
    })
    from.on('end', () => void last.then(() => to.end()))
  }

  const server: Server = createServer((client) => {
    accepted++
    if (refusing) return void client.resetAndDestroy()
    const upstream = dial(target)
    let left = budget
    budget = undefined
    const end = () => {
      client.destroy()
      upstream.destroy()
      open.delete(client)
    }
    for (const socket of [client, upstream]) socket.setNoDelay(true).on('error', end).on('close', end)
    open.add(client)
    pump(
      client,
      upstream,
      () => toServer,
      (bytes) => {
        if (left === undefined) return
        left -= bytes
        if (left <= 0) client.resetAndDestroy()
      },
    )
    pump(
      upstream,
      client,
      () => toClient,
      () => undefined,
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  const reset = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  return {
    port: address.port,
    connections: () => open.size,
    accepted: () => accepted,
    requests: (manner) => {
      toServer = manner
    },
    answers: (manner) => {
      toClient = manner
    },
    reset,
    resetAfter: (clientBytes) => {
      budget = clientBytes
    },
    refuse: () => {
      refusing = true
    },
    admit: () => {
      refusing = false
    },
    close: () => {
      reset()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
