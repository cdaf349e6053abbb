import { describe, expect, it } from 'vitest'
import { ConfigError, integer, integers, readEnv, text, url } from './env.ts'

const rules = { NAME: text(), PREFETCH: integer(1, 1000, 200), DELAYS: integers('1,2'), AMQP_URI: url('amqp', 'amqps') }
const right = { NAME: 'x', AMQP_URI: 'amqp://u:p@host' }

it('fills defaults in', () =>
  expect(readEnv(right, rules)).toEqual({ NAME: 'x', PREFETCH: 200, DELAYS: [1, 2], AMQP_URI: right.AMQP_URI }))

it('tells every problem at once, each with what was expected and what came', () =>
  expect(() => readEnv({ PREFETCH: 'ten', DELAYS: '1,,2', AMQP_URI: 'http://secret' }, rules)).toThrow(
    new ConfigError(
      '4 problems in the environment: NAME: expected a value, got nothing; PREFETCH: expected an integer from 1 to 1000, got "ten"; DELAYS: expected integers such as 1000,2000, got "1,,2"; AMQP_URI: expected a URL that starts with amqp:// or amqps://, got something else',
    ),
  ))

describe('a number', () => {
  it.each(['0', '1001', '-1', '1.5', '1e3', ' 5', 'NaN'])('is not "%s"', (PREFETCH) =>
    expect(() => readEnv({ ...right, PREFETCH }, rules)).toThrow('PREFETCH'),
  )
})
