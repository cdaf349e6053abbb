import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backOffMs, brokerPort } from './amqp.ts'

it.each([
  ['the first wait is short', 1, 1, 200],
  ['the bound doubles', 4, 1, 1_600],
  ['up to 10 s', 7, 1, 10_000],
  ['however many attempts fail', 5_000, 1, 10_000],
  ['half of the range is half of the way from 0.1 s', 3, 0.5, 450],
])('%s', (_, failures, random, ms) => expect(backOffMs(failures, random)).toBe(ms))

it('a wait is never under 0.1 s and never over 10 s', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const ms = backOffMs(failures, random)
      expect(ms).toBeGreaterThanOrEqual(100)
      expect(ms).toBeLessThanOrEqual(10_000)
    }),
  ))

it.each([
  ['amqp://u:p@broker/v', 5672],
  ['amqps://u:p@broker/v', 5671],
  ['amqps://u:p@broker:5672/v', 5672],
])('the broker of %s listens at %d', (uri, port) => expect(brokerPort(new URL(uri))).toBe(port))
