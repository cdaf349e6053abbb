import { randomUUID } from 'node:crypto'
import { runProcess } from '#runtime/process.ts'
import { readConfig } from './config.ts'
import { startApi } from './service.ts'

const every = (ms: number, run: () => void) => {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

await runProcess(
  'api',
  () => readConfig(process.env),
  startApi({ now: Date.now, uptimeSeconds: process.uptime, newId: randomUUID, every }),
)
