import { expect, it } from 'vitest'
import { EXIT } from './failure.ts'
import { addressOf } from './http.ts'

it.each([
  ['http://127.0.0.1:30080', 'http://127.0.0.1:30080/api/signals?page=1'],
  ['https://iot.example/', 'https://iot.example/api/signals?page=1'],
])('an address may be %s', (base, address) => expect(addressOf(base, '/api/signals?page=1')).toBe(address))

it.each(['foo', 'localhost:30080', 'ftp://there', 'http://'])('%s is no address', (base) => {
  const message = `expected an address such as http://127.0.0.1:30080, got "${base}"`
  expect(() => addressOf(base, '/api/signals')).toThrow(expect.objectContaining({ exit: EXIT.usage, message }))
})
