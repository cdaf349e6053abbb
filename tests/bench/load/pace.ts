import { connect, type Socket } from 'node:net'

/** How requests are sent. */
export type Pace = {
  host: string
  port: number
  connections: number
  seconds: number
  /** Requests a second, sent when they are due whatever came back; 0 sends as fast as answers come. */
  rate: number
  /** Ends when so many were answered as expected, if that is earlier. */
  most: number
}

export type Tally = {
  accepted: number
  refused: Record<string, number>
  seconds: number
  /** ms from when a request was due to its answer, ascending; for accepted ones. */
  latenciesMs: number[]
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** The status of a whole answer, or undefined while some of it is missing. */
const statusIn = (answer: Buffer): number | undefined => {
  const end = answer.indexOf(HEAD_END)
  if (end === -1) return undefined
  const head = answer.toString('latin1', 0, end + 2)
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
  return answer.length < end + HEAD_END.length + length ? undefined : Number(head.slice(9, 12))
}

/**
 * Sends requests over keep-alive sockets, one at a time on each. Raw sockets: an HTTP client would cost as much as what
 * is measured.
 * @param request the bytes of one request, by its number
 * @param expected the status that counts as accepted
 */
export const sendPaced = async (pace: Pace, request: (turn: number) => Buffer[], expected: number): Promise<Tally> => {
  const latenciesMs: number[] = []
  const refused: Record<string, number> = {}
  const startedAt = performance.now()
  const endsAt = startedAt + pace.seconds * 1000
  let next = 0
  const isOver = (): boolean => performance.now() >= endsAt || latenciesMs.length >= pace.most
  const note = (what: string): void => {
    refused[what] = (refused[what] ?? 0) + 1
  }

  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: pace.host, port: pace.port, noDelay: true }, () => resolve(socket))
      socket.once('error', reject)
    })
  const ask = (socket: Socket, parts: Buffer[]): Promise<number> =>
    new Promise((resolve, reject) => {
      let answer: Buffer | undefined
      const lost = () => reject(new Error('connection lost'))
      const read = (bytes: Buffer) => {
        answer = answer === undefined ? bytes : Buffer.concat([answer, bytes])
        const status = statusIn(answer)
        if (status === undefined) return
        socket.off('data', read).off('close', lost)
        resolve(status)
      }
      socket.on('data', read).once('close', lost)
      socket.cork()
      for (const part of parts) socket.write(part)
      socket.uncork()
    })

  const worker = async (): Promise<void> => {
    let socket = await open()
    while (!isOver()) {
      const turn = next++
      const dueAt = pace.rate === 0 ? performance.now() : startedAt + (turn * 1000) / pace.rate
      const early = dueAt - performance.now()
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early))
      const sentAt = pace.rate === 0 ? performance.now() : dueAt
      try {
        const status = await ask(socket, request(turn))
        if (status === expected) latenciesMs.push(performance.now() - sentAt)
        else note(String(status))
      } catch {
        note('connection')
        socket = await open()
      }
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: pace.connections }, worker))
  const seconds = (performance.now() - startedAt) / 1000
  return { accepted: latenciesMs.length, refused, seconds, latenciesMs: latenciesMs.sort((a, b) => a - b) }
}

/** The life of a generator's process: a plan comes as a message, the tally leaves as one. */
export const serveOnePlan = <Plan>(run: (plan: Plan) => Promise<Tally>): void =>
  void process.once('message', async (plan: Plan) => {
    process.send?.(await run(plan), () => process.exit(0))
  })
