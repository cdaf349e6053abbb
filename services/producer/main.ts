import { runProcess } from '#runtime/process.ts'
import { readConfig } from './config.ts'
import { startProducer } from './service.ts'

await runProcess('producer', process.env, readConfig, startProducer({ now: Date.now, random: Math.random }))
