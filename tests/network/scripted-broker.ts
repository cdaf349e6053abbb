import { createServer, type Socket } from 'node:net'

const METHOD = 1
const HEADER = 2
const BODY = 3
const FRAME_END = 0xce

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)])
const u64 = (value: number): Buffer => Buffer.concat([u32(0), u32(value)])
const short = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
const long = (text: string): Buffer => Buffer.concat([u32(text.length), Buffer.from(text)])

const frame = (type: number, channel: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([type]), u16(channel), u32(payload.length), payload, Buffer.from([FRAME_END])])
const method = (channel: number, classId: number, methodId: number, ...fields: Buffer[]): Buffer =>
  frame(METHOD, channel, Buffer.concat([u16(classId), u16(methodId), ...fields]))

/** What a client published, with the content header as it came. */
export type Received = { exchange: string; routingKey: string; header: Buffer; body: Buffer }

/** The answers of AMQP 0-9-1 to what a client asks on its way to a confirm channel, and when it leaves. */
const ANSWERS: Record<string, (channel: number) => Buffer> = {
  '10.11': () => method(0, 10, 30, u16(100), u32(131_072), u16(60)),
  '10.40': () => method(0, 10, 41, short('')),
  '10.50': () => method(0, 10, 51),
  '20.10': (channel) => method(channel, 20, 11, long('')),
  '20.40': (channel) => method(channel, 20, 41),
  '85.10': (channel) => method(channel, 85, 11),
}

/** The frames that a broker sends of its own accord. */
export const ack = (tag: number, multiple: boolean): Buffer =>
  method(1, 60, 80, u64(tag), Buffer.from([multiple ? 1 : 0]))
export const returned = ({ exchange, routingKey, header, body }: Received): Buffer =>
  Buffer.concat([
    method(1, 60, 50, u16(312), short('NO_ROUTE'), short(exchange), short(routingKey)),
    frame(HEADER, 1, header),
    frame(BODY, 1, body),
  ])
export const connectionBlocked = method(0, 10, 60, short('low on memory'))
export const connectionClose = method(0, 10, 50, u16(320), short('CONNECTION_FORCED'), u16(0), u16(0))

/**
 * A broker that does as it is told, for an order of frames that a real one gives only by chance. One channel, bodies of
 * one frame, nothing but publishing.
 */
export const openScriptedBroker = async () => {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  let withOpenOk: Buffer | undefined

  const take = (socket: Socket, type: number, channel: number, payload: Buffer): void => {
    const last = received.at(-1)
    if (type === HEADER && last !== undefined) last.header = payload
    else if (type === BODY && last !== undefined) last.body = payload
    else if (type === METHOD) {
      const id = `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`
      if (id === '60.40') {
        const exchange = payload.subarray(7, 7 + payload.readUInt8(6)).toString()
        const at = 7 + exchange.length
        const routingKey = payload.subarray(at + 1, at + 1 + payload.readUInt8(at)).toString()
        received.push({ exchange, routingKey, header: Buffer.alloc(0), body: Buffer.alloc(0) })
      }
      const answer = ANSWERS[id]?.(channel)
      const more = id === '10.40' ? withOpenOk : undefined
      if (more !== undefined) withOpenOk = undefined
      if (answer !== undefined) socket.write(Buffer.concat([answer, more ?? Buffer.alloc(0)]))
    }
  }
  const server = createServer((socket) => {
    sockets.add(socket)
    let rest: Buffer = Buffer.alloc(0)
    let greeted = false
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      if (!greeted && rest.length >= 8) {
        greeted = true
        rest = rest.subarray(8)
        socket.write(method(0, 10, 10, Buffer.from([0, 9]), u32(0), long('PLAIN'), long('en_US')))
      }
      while (greeted && rest.length >= 7 && rest.length >= 8 + rest.readUInt32BE(3)) {
        const size = rest.readUInt32BE(3)
        take(socket, rest.readUInt8(0), rest.readUInt16BE(1), rest.subarray(7, 7 + size))
        rest = rest.subarray(8 + size)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the broker has no port')
  return {
    uri: `amqp://guest:guest@127.0.0.1:${address.port}`,
    received,
    connections: () => sockets.size,
    send: (...frames: Buffer[]) => {
      for (const socket of sockets) socket.write(Buffer.concat(frames))
    },
    /** Sends this behind the next open-ok, in one segment with it. */
    withNextOpenOk: (frames: Buffer) => {
      withOpenOk = frames
    },
    stopReading: () => {
      for (const socket of sockets) socket.pause()
    },
    readOn: () => {
      for (const socket of sockets) socket.resume()
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
