import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bodyOf, MAX_BATCH_ITEMS, readBatch } from './batch.ts'
import { MAX_BODY_BYTES } from './recording.ts'

const read = (text: string) => readBatch(Buffer.from(text))
const item = (body: string) => {
  const batch = read(JSON.stringify({ items: [{ nonce: 'n', body }] }))
  if (!batch.ok || batch.items[0] === undefined) throw new Error('a valid batch was not read')
  return batch.items[0]
}

it('gives back what JSON.stringify was given, item by item, whatever stands between', () =>
  fc.assert(
    fc.property(
      fc.array(fc.record({ nonce: fc.string({ maxLength: 8 }), body: fc.string({ unit: 'grapheme' }) }), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.constantFrom(undefined, 1, '\t', '\r\n'),
      (items, space) => {
        const batch = read(JSON.stringify({ items }, undefined, space))
        expect(batch.ok && batch.items.map((each) => ({ nonce: each.nonce, body: bodyOf(each).toString() }))).toEqual(
          items,
        )
      },
    ),
  ))

it('takes nothing that JSON.parse would not', () =>
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]:,"\\ x', '"items"', '"nonce"', '"body"') }), (text) => {
      if (read(text).ok) expect(() => JSON.parse(text)).not.toThrow()
    }),
  ))

describe('a frame that is another is refused where it begins to be', () => {
  it.each([
    ['', ''],
    ['[]', ''],
    ['{"item":[]}', ''],
    ['{"items":[]}', '/items/0'],
    ['{"items":[{}]}', '/items/0'],
    ['{"items":[{"nonce":"a"}]}', '/items/0'],
    ['{"items":[{"nonce":"a","nonce":"b"}]}', '/items/0'],
    ['{"items":[{"nonce":"a","body":"b","more":"c"}]}', '/items/0'],
    ['{"items":[{"nonce":"a","body":{}}]}', '/items/0/body'],
    ['{"items":[{"nonce":1,"body":"b"}]}', '/items/0/nonce'],
    [`{"items":[{"nonce":"${'a'.repeat(65)}","body":"b"}]}`, '/items/0/nonce'],
    ['{"items":[{"nonce":"a","body":"b"},]}', '/items/1'],
    ['{"items":[{"nonce":"a","body":"b"}]', '/items'],
    ['{"items":[{"nonce":"a","body":"b"}],"more":1}', '/items'],
    ['{"items":[{"nonce":"a","body":"b"}]} x', ''],
    ['{"items":[{"nonce":"a","body":"b', '/items/0/body'],
    ['{"items":[{"nonce":"a","body":"b\\', '/items/0/body'],
    ['\ufeff{"items":[{"nonce":"a","body":"b"}]}', ''],
    [`{${' '.repeat(1025)}"items":[{"nonce":"a","body":"b"}]}`, ''],
    [JSON.stringify({ items: Array(MAX_BATCH_ITEMS + 1).fill({ nonce: 'a', body: 'b' }) }), '/items'],
  ])('%s', (text, pointer) => expect(read(text)).toMatchObject({ ok: false, fault: { pointer } }))
})

it('as many blanks as anybody indents with are skipped', () =>
  expect(read(`{${' '.repeat(1024)}"items":[{"nonce":"a","body":"b"}]}`).ok).toBe(true))

it('a hundred items are taken', () => {
  const batch = read(JSON.stringify({ items: Array(MAX_BATCH_ITEMS).fill({ nonce: 'a', body: 'b' }) }))
  expect(batch.ok && batch.items.length).toBe(MAX_BATCH_ITEMS)
})

describe('the bytes of an item', () => {
  it.each([
    ['may be as many as one recording has', 'x'.repeat(MAX_BODY_BYTES), undefined],
    ['may not be one more', 'x'.repeat(MAX_BODY_BYTES + 1), 'too large'],
    ['are counted as bytes, not characters', 'é'.repeat(MAX_BODY_BYTES / 2 + 1), 'too large'],
    ['are not even looked at when they are far too many', 'x'.repeat(6 * MAX_BODY_BYTES + 1), 'too large'],
    ['cannot be half a surrogate pair', 'a\ud800', 'no text'],
  ])('%s', (_, body, expected) => expect(bodyOf(item(body))).toEqual(expected ?? Buffer.from(body)))
  it.each([
    ['a wrong escape', '\\x'],
    ['a control character', '\u0001'],
  ])('%s makes no string', (_, escaped) =>
    expect(bodyOf({ nonce: 'a', escapedBody: Buffer.from(escaped) })).toBe('no text'),
  )
  it('invalid UTF-8 makes no string', () =>
    expect(bodyOf({ nonce: 'a', escapedBody: Buffer.from([0xff]) })).toBe('no text'))
})
