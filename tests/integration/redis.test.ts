import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { address, secret } from '../e2e/cluster.ts'

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
    for (const key of keys) expect(await redis.set(key, MEGABYTE, 'PX', 60_000)).toBe('OK')
    expect(await redis.exists(keys.at(-1) ?? '')).toBe(1)
    expect(await redis.exists(...keys)).toBeLessThan(keys.length)
  } finally {
    await redis.flushdb()
    redis.disconnect()
  }
})
