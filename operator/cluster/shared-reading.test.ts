import { describe, expect, it } from 'vitest'
import type { Broker } from './broker.ts'
import { createSharedReading } from './shared-reading.ts'

const broker = (vhost: string): Broker => ({
  managementUri: 'http://broker:15672',
  username: 'u',
  password: 'p',
  vhost,
  request: () => Promise.reject(new Error('not asked for here')),
})

/** Readings that tell apart by their number; the first so many fail. */
const counted = (failures = 0, nowMs = Date.now) => {
  let count = 0
  return createSharedReading(async ({ vhost }) => {
    if (++count <= failures) throw new Error(`failed ${count}`)
    return { vhost, count }
  }, nowMs)
}

describe('one reading of a virtual host', () => {
  it('is the same object for all who ask within its age, at once or later', async () => {
    const read = counted()
    const [one, other] = await Promise.all([read(broker('/'), 60_000), read(broker('/'), 60_000)])
    expect(one).toBe(other)
    expect(await read(broker('/'), 60_000)).toBe(one)
  })
  it('is not taken by who asks for a newer one, and the newer one is everybody’s', async () => {
    const read = counted()
    const first = await read(broker('/'), 60_000)
    const second = await read(broker('/'), 0)
    expect(second).not.toBe(first)
    expect(await read(broker('/'), 60_000)).toBe(second)
  })
  it('says nothing of another', async () => {
    const read = counted()
    await read(broker('/'), 60_000)
    expect(await read(broker('other'), 60_000)).toMatchObject({ vhost: 'other' })
  })
  it('is forgotten when nobody has asked for it in ten minutes, as of a broker whose pipelines are gone', async () => {
    let nowMs = 0
    const read = counted(0, () => nowMs)
    await read(broker('gone'), 1)
    nowMs = 660_000
    await read(broker('/'), 1)
    expect(await read(broker('gone'), Number.POSITIVE_INFINITY)).toMatchObject({ count: 3 })
  })
  it('is forgotten when it fails', async () => {
    const read = counted(1)
    await expect(read(broker('/'), 60_000)).rejects.toThrow('failed 1')
    expect(await read(broker('/'), 60_000)).toMatchObject({ count: 2 })
  })
})
