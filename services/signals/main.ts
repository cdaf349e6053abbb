import { setTimeout as delay } from 'node:timers/promises'
import { runProcess } from '#runtime/process.ts'
import { readConfig } from './config.ts'
import { startSignals } from './service.ts'

const world = { now: Date.now, random: Math.random, delay: (ms: number) => delay(ms) }

await runProcess('signals', () => readConfig(process.env), startSignals(world))
