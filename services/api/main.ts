import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { every } from '#runtime/periodic.ts'
import { runProcess } from '#runtime/process.ts'
import { readConfig } from './config.ts'
import { startApi } from './service.ts'

const world = {
  now: Date.now,
  uptimeSeconds: process.uptime,
  newId: randomUUID,
  entropy: randomBytes,
  every,
  delay: (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal }).catch(() => undefined),
}

await runProcess('api', process.env, readConfig, startApi(world))
