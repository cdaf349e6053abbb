import { describe, expect, it } from 'vitest'
import { lastLines } from './log-lines.ts'

const line = (level: string, msg: string, more: object = {}) =>
  JSON.stringify({ level, time: '2026-11-24T22:57:25.123Z', component: 'api', msg, ...more })

describe('the last lines of a log', () => {
  it.each([
    [
      'are its errors, where there are any',
      [line('info', 'starting'), line('fatal', 'no keys'), line('info', 'bye')],
      'no keys',
    ],
    ['are whatever came last, where there are none', [line('info', 'one'), line('info', 'two')], 'one | two'],
    ['are three at most', ['a', 'b', 'c', 'd'].map((text) => line('error', text)), 'b | c | d'],
    [
      'tell the error behind a message',
      [line('fatal', 'the start failed', { err: { message: 'no route' } })],
      'the start failed: no route',
    ],
    [
      'are taken as they are from a program that writes no JSON',
      ['Error: Cannot find module x'],
      'Error: Cannot find module x',
    ],
    ['say the same thing once', [line('error', 'no'), line('error', 'no')], 'no'],
    [
      'hold no passwords',
      [line('error', 'amqp://xray:s3cret@rabbitmq:5672 refused')],
      'amqp://…@rabbitmq:5672 refused',
    ],
    [
      'hold no times, ids and numbers that change',
      ['error at 2026-11-24T22:57:25Z of 0c7e2b1a-0000-4000-8000-a1b2c3d4e5f6 port 43121 after 812 ms'],
      'error at … of … port … after …',
    ],
    ['are nothing of a log that is gone', ['unable to retrieve container logs for containerd://7d4d6309'], ''],
    ['are nothing of an empty log', [''], ''],
  ] as [string, string[], string][])('%s', (_, lines, shown) => expect(lastLines(lines.join('\n'))).toBe(shown))

  it('are cut, so that a status stays small', () =>
    expect(lastLines(line('error', 'x'.repeat(5000))).length).toBeLessThan(300))
})
