import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { every } from '#runtime/periodic.ts'
import { runProcess } from '#runtime/process.ts'
import { readConfig } from './config.ts'
import { startSignals } from './service.ts'

const world = {
  now: Date.now,
  tick: () => performance.now(),
  random: Math.random,
  newId: randomUUID,
  delay: (ms: number) => delay(ms),
  every,
}

await runProcess('signals', process.env, readConfig, startSignals(world))
