import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { address, eventually, secret } from '../e2e/cluster.ts'

const MEGABYTE = 'x'.repeat(2 ** 20)

it('a Redis that is full takes new names, and lets go of others', async () => {
  const redis = new Redis({
    host: await address('xray-redis'),
    password: await secret('xray-redis', 'password'),
    db: 8,
  })
  try {
    const [, most] = (await redis.config('GET', 'maxmemory')) as [string, string]
    const keys = Array.from({ length: Math.ceil((2 * Number(most)) / 2 ** 20) }, (_, index) => `full:${index}`)
    for (const key of keys) expect(await redis.set(key, MEGABYTE, 'PX', 600_000)).toBe('OK')
    expect(await redis.exists(keys.at(-1) ?? '')).toBe(1)
    // The names of others, which have not been asked for longer, go first, and each write frees no more than what half a
    // millisecond is enough for; the rest goes on in the background.
    await eventually('some of twice what it holds to be gone', 150, async () =>
      (await redis.exists(...keys)) < keys.length ? true : undefined,
    )
  } finally {
    await redis.flushdb()
    redis.disconnect()
  }
})
