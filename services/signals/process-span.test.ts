import { expect, it } from 'vitest'
import { destinationOf } from './process-span.ts'

it.each([
  ['iot.xray', 'xray.raw.v1', 'xray.raw.q', 'iot.xray:xray.raw.v1:xray.raw.q'],
  ['', 'xray.raw.q', 'xray.raw.q', 'xray.raw.q'],
  ['same', 'same', 'queue', 'same:queue'],
])('a message of exchange "%s" and key "%s" in "%s" came over "%s"', (exchange, routingKey, queue, destination) =>
  expect(destinationOf(exchange, routingKey, queue)).toBe(destination),
)
