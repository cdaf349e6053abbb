import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a disturbed broker does with a request to its management API. */
export type BrokerFault =
  | { kind: 'answer'; status: number; body: string }
  /** Answers after so long. */
  | { kind: 'slow'; ms: number }
  /** Cuts the connection when half of the answer is out. */
  | { kind: 'half' }
  /** Never answers. */
  | { kind: 'hang' }
  | { kind: 'reset' }

export type BrokerCall = { method: string; path: string; status: number | undefined }

export type ManagementProxy = {
  uri: string
  /** Every call so far. */
  calls: () => readonly BrokerCall[]
  /** From now on, for calls that match; undefined: undisturbed. */
  disturb: (fault: BrokerFault | undefined, matches?: (call: BrokerCall) => boolean) => void
  close: () => Promise<void>
}

const bodyOf = async (stream: AsyncIterable<Buffer>): Promise<Buffer<ArrayBuffer>> => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A proxy before the management API of a real RabbitMQ. */
export const openManagementProxy = async (host: string): Promise<ManagementProxy> => {
  const calls: BrokerCall[] = []
  let disturbance: { fault: BrokerFault; matches: (call: BrokerCall) => boolean } | undefined

  const handOn = async (request: IncomingMessage, call: BrokerCall) => {
    const { authorization = '', 'content-type': type = 'application/json' } = request.headers
    const body = await bodyOf(request)
    const answer = await fetch(`http://${host}:15672${call.path}`, {
      method: call.method,
      headers: { authorization, 'content-type': type },
      ...(body.length > 0 && { body }),
    })
    call.status = answer.status
    return { status: answer.status, text: await answer.text() }
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const call: BrokerCall = { method: request.method ?? '', path: request.url ?? '', status: undefined }
    calls.push(call)
    const fault = disturbance?.matches(call) ? disturbance.fault : undefined
    const json = { 'content-type': 'application/json' }
    switch (fault?.kind) {
      case 'hang':
        break
      case 'reset':
        request.socket.resetAndDestroy()
        break
      case 'answer':
        response.writeHead(fault.status, json).end(fault.body)
        break
      case 'half': {
        const { status, text } = await handOn(request, call)
        response.writeHead(status, { ...json, 'content-length': String(text.length) })
        response.write(text.slice(0, text.length / 2), () => request.socket.destroy())
        break
      }
      case 'slow':
      case undefined: {
        if (fault !== undefined) await new Promise((resolve) => setTimeout(resolve, fault.ms))
        const { status, text } = await handOn(request, call)
        response.writeHead(status, json).end(status === 204 ? undefined : text)
        break
      }
      default: {
        const missed: never = fault
        throw new Error(`unhandled fault ${JSON.stringify(missed)}`)
      }
    }
  }

  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    disturb: (fault, matches = () => true) => {
      disturbance = fault === undefined ? undefined : { fault, matches }
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
