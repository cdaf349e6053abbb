import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { type Keys, watchKeys } from './keys.ts'

const HEX = 'ab'.repeat(32)

/** What is read of a folder with these files. */
const keysOf = (files: Record<string, string>): Keys => {
  const folder = mkdtempSync(join(tmpdir(), 'xrayiot-keys-'))
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const watch = watchKeys(folder, pino({ level: 'silent' }))
    watch.close()
    return watch.current()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

it('the files of the Secret are keys by their ids, the newest master last', () => {
  const keys = keysOf({
    'device-master-k10': HEX,
    'device-master-k2': `${HEX}\n`,
    'message-p1': HEX,
    'api-admin-token': 'xrk_admin',
    other: 'x',
  })
  expect([...keys.deviceMasters.keys()]).toEqual(['k2', 'k10'])
  expect(keys.signing).toEqual({ kid: 'p1', key: Buffer.from(HEX, 'hex') })
  expect(keys.apiAdminToken).toBe('xrk_admin')
})

it('of two message keys that were there at the start the older signs', () =>
  expect(keysOf({ 'message-p2': HEX, 'message-p1': HEX }).signing?.kid).toBe('p1'))

describe('a process does not start with', () => {
  it.each([
    ['no key at all, which is what a missing Secret looks like', {}, 'holds no key'],
    ['a key of another length', { 'message-p1': 'ab' }, 'message-p1: expected 64 lower-case hex digits, got 2'],
    ['a key id with a dot', { 'device-master-k1.1': HEX }, 'device-master-k1.1: expected an id'],
  ])('%s', (_, files, message) => expect(() => keysOf(files)).toThrow(message))
})
