import { expect, it } from 'vitest'
import { portOf } from './servers.ts'

it.each([
  ['broker', 'amqp://u:p@there/v', 5672],
  ['broker', 'amqps://u:p@there/v', 5671],
  ['broker', 'amqps://u:p@there:30671/v', 30671],
  ['store', 'mongodb://u:p@there/', 27017],
  ['cache', 'rediss://u:p@there', 6379],
] as const)('doctor looks for the %s of %s at %d', (name, uri, port) => expect(portOf(name, new URL(uri))).toBe(port))
