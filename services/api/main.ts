import { randomUUID } from 'node:crypto'
import { every } from '#runtime/periodic.ts'
import { runProcess } from '#runtime/process.ts'
import { readConfig } from './config.ts'
import { startApi } from './service.ts'

await runProcess(
  'api',
  () => readConfig(process.env),
  startApi({ now: Date.now, uptimeSeconds: process.uptime, newId: randomUUID, every }),
)
