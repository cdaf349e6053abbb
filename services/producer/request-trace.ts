import type { IncomingMessage } from 'node:http'
import { brokerPort } from '#runtime/amqp.ts'
import type { Outcome } from '#runtime/publisher.ts'
import { markFailed, type Span, sampledFields, type Tracing, traceparentOf } from '#runtime/tracing.ts'

/** The trace of one request. */
export type RequestTrace = {
  /** The sender is known: only now may it say to which trace the request belongs, and whether that is sampled. */
  authenticated: (deviceId: string) => void
  /** A message is about to be published; what comes back goes with it. */
  publish: (messageId: string, bodyBytes: number) => PublishTrace
  answered: (status: number) => void
  /** The names of its span, for a line of the log or a metric; undefined when it is not sampled. */
  exemplar: () => Record<string, string> | undefined
}

export type PublishTrace = { traceparent: string; ended: (outcome: Outcome) => void }

/** What every span says of where messages go. */
export type Destination = { exchange: string; routingKey: string; broker: string }

const addressOf = (host: string | undefined): { 'server.address'?: string; 'server.port'?: number } => {
  const [, name, port] = /^(\[[^\]]+\]|[^:]+)(?::([0-9]{1,5}))?$/.exec(host ?? '') ?? []
  return { ...(name !== undefined && { 'server.address': name }), ...(port !== undefined && { 'server.port': +port }) }
}

const describe = (span: Span, request: IncomingMessage, route: string): void => {
  const agent = request.headers['user-agent']
  span.setAttributes({
    'http.request.method': 'POST',
    'http.route': route,
    'url.path': route,
    'url.scheme': 'http',
    'network.protocol.version': request.httpVersion,
    ...addressOf(request.headers.host),
    ...(request.socket.remoteAddress !== undefined && { 'client.address': request.socket.remoteAddress }),
    ...(agent !== undefined && { 'user_agent.original': agent.slice(0, 256) }),
  })
}

/**
 * Traces requests to a route: a SERVER span, and under it a PRODUCER span for each message, whose context the message
 * carries. The SERVER span starts once its parent is known, or at the end when nobody was authenticated.
 */
export const createRequestTraces = (tracing: Tracing, { exchange, routingKey, broker }: Destination) => {
  const url = new URL(broker)
  const published = {
    'messaging.system': 'rabbitmq',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.destination.name': `${exchange}:${routingKey}`,
    'messaging.rabbitmq.destination.routing_key': routingKey,
    'server.address': url.hostname,
    'server.port': brokerPort(url),
  }
  return (request: IncomingMessage, route: string, startedAtMs: number): RequestTrace => {
    let span: Span | undefined
    const open = (traceparent: string | undefined): Span => {
      const opened = tracing.start(`POST ${route}`, 'server', traceparent, startedAtMs)
      if (opened.isRecording()) describe(opened, request, route)
      span = opened
      return opened
    }
    return {
      authenticated: (deviceId) => {
        const { traceparent } = request.headers
        const opened = open(typeof traceparent === 'string' ? traceparent : undefined)
        if (opened.isRecording()) opened.setAttribute('xray.device.id', deviceId)
      },
      publish: (messageId, bodyBytes) => {
        const sending = tracing.start(`publish ${exchange}:${routingKey}`, 'producer', span ?? open(undefined))
        if (sending.isRecording())
          sending.setAttributes({
            ...published,
            'messaging.message.id': messageId,
            'messaging.message.body.size': bodyBytes,
          })
        return {
          traceparent: traceparentOf(sending),
          ended: (outcome) => {
            if (outcome !== 'confirmed') markFailed(sending, outcome)
            sending.end()
          },
        }
      },
      answered: (status) => {
        const answered = span ?? open(undefined)
        answered.setAttribute('http.response.status_code', status)
        if (status >= 500) markFailed(answered, String(status))
        answered.end()
      },
      exemplar: () => (span === undefined ? undefined : sampledFields(span)),
    }
  }
}
