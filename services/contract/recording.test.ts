import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_POINTS, type Point, readRecording } from './recording.ts'

const NOW = Date.UTC(2025, 0, 1)
const DEVICE = '66bb584d4ae73e488c30a072'
const POINT: Point = [762, [51.339764, 12.339223833333334, 1.2038]]
const valid = { deviceId: DEVICE, timestamp: 1735683480000, data: [POINT] }
const body = (change: object): string => JSON.stringify({ ...valid, ...change })
const read = (text: string | Buffer) => readRecording(Buffer.from(text), NOW)
const faultOf = (text: string | Buffer) => {
  const result = read(text)
  return result.ok ? 'accepted' : result.fault.pointer
}

describe('a body that is a recording', () => {
  it.each([
    ['the seed form', JSON.stringify(valid)],
    ['the predecessor form', JSON.stringify({ [DEVICE]: { data: [POINT], time: valid.timestamp } })],
    [
      'the predecessor form with its keys turned',
      JSON.stringify({ [DEVICE]: { time: valid.timestamp, data: [POINT] } }),
    ],
    ['white space everywhere', JSON.stringify(valid, null, 4)],
    ['a key written with an escape', JSON.stringify(valid).replace('"deviceId"', '"\\u0064eviceId"')],
  ])('is read: %s', (_, text) => expect(read(text)).toEqual({ ok: true, recording: valid }))

  it('may have a thousand points with offsets that go back', () => {
    const data = Array.from({ length: MAX_POINTS }, (_, i) => [(i * 997) % 60_000, [51, 12, 0]])
    expect(read(body({ data })).ok).toBe(true)
  })
})

describe('a body that is none says where its first fault lies', () => {
  const text = JSON.stringify(valid)
  it.each([
    ['', 'empty', ''],
    ['', 'cut off', text.slice(0, -1)],
    ['', 'not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['', 'a byte order mark', `\uFEFF${text}`],
    ['', 'NaN', text.replace('762', 'NaN')],
    ['', 'an array', '[]'],
    ['', 'null', 'null'],
    ['', 'a timestamp twice', text.replace('"timestamp"', '"timestamp":1,"timestamp"')],
    ['', 'a device twice, the second in hiding', text.replace('"deviceId"', '"deviceId":"x","\\u0064eviceId"')],
    [
      '',
      'data twice in the predecessor form',
      `{"${DEVICE}":{"data":[],"data":[${JSON.stringify(POINT)}],"time":1735683480000}}`,
    ],
    ['/__proto__', '__proto__', text.replace('{', '{"__proto__":{},')],
    ['/constructor', 'constructor', text.replace('{', '{"constructor":1,')],
    ['/a~1b~0', 'an unknown field with a pointer to escape', body({ 'a/b~': 1 })],
    ['/data', 'no data', JSON.stringify({ deviceId: DEVICE, timestamp: 1735683480000 })],
    ['/data', 'no points', body({ data: [] })],
    ['/data', '1001 points', body({ data: Array(1001).fill(POINT) })],
    ['/data', 'points in an object', body({ data: { length: 1 } })],
    ['/deviceId', 'an upper-case device', body({ deviceId: DEVICE.toUpperCase() })],
    ['/deviceId', 'a number for a device', body({ deviceId: 1 })],
    ['/timestamp', 'seconds', body({ timestamp: 1735683480 })],
    ['/timestamp', 'more than a day ahead', body({ timestamp: NOW + 86_400_001 })],
    ['/timestamp', 'a fraction', body({ timestamp: 1735683480000.5 })],
    ['/timestamp', 'a string', body({ timestamp: '1735683480000' })],
    [`/${DEVICE}/time`, 'the predecessor form without time', JSON.stringify({ [DEVICE]: { data: [POINT] } })],
    [
      `/${DEVICE}/data/0/1/0`,
      'the predecessor form with a bad latitude',
      JSON.stringify({ [DEVICE]: { data: [[0, [91, 0, 0]]], time: NOW } }),
    ],
    ['/data/0', 'a point of three', body({ data: [[1, [1, 2, 3], 4]] })],
    ['/data/1', 'a point that is null', body({ data: [POINT, null] })],
    ['/data/0/0', 'a negative offset', body({ data: [[-1, [51, 12, 1]]] })],
    ['/data/0/0', 'a fraction for an offset', body({ data: [[0.5, [51, 12, 1]]] })],
    ['/data/0/1', 'a position of two', body({ data: [[1, [51, 12]]] })],
    ['/data/0/1/0', 'a latitude over 90', body({ data: [[1, [90.0001, 12, 1]]] })],
    ['/data/0/1/1', 'a longitude below -180', body({ data: [[1, [51, -180.5, 1]]] })],
    ['/data/0/1/2', 'a negative speed', body({ data: [[1, [51, 12, -0.1]]] })],
    ['/data/0/1/2', 'a speed of 1e999', text.replace('1.2038', '1e999')],
    ['/data/0/1/2', 'a string for a speed', text.replace('1.2038', '"1.2038"')],
    ['/data/0/1/0', 'deep nesting', text.replace('51.339764', `${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
  ])('%j: %s', (pointer, _, bytes) => expect(faultOf(bytes)).toBe(pointer))
})

it('whatever bytes come, the reader answers and does not throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => typeof readRecording(bytes, NOW).ok === 'boolean'),
  )
  fc.assert(fc.property(fc.json(), (text) => typeof readRecording(Buffer.from(text), NOW).ok === 'boolean'))
})
