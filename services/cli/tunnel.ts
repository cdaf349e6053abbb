import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** Connects a local connection with what it is meant for; what it returns ends that. */
export type Dial = (socket: Socket) => Promise<() => void>

/** A local port of which every connection is dialled through; `close` ends them all. */
export const openTunnel = async (dial: Dial): Promise<{ port: number; close: () => void }> => {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    // Whoever uses the tunnel sees its end of the connection close, and says so.
    socket.on('error', () => socket.destroy())
    void dial(socket).then(
      (hangUp) => (socket.closed ? hangUp() : socket.once('close', hangUp)),
      () => socket.destroy(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}
