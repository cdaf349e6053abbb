import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runCommandLine } from './arguments.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { EXIT, Failure } from './failure.ts'
import { findSettings } from './settings.ts'
import { endWithReader, openTerminal } from './terminal.ts'

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

const local = join(import.meta.dirname, '../../.xray/kubeconfig')
const tell = (line: string) => void process.stderr.write(`${line}\n`)

endWithReader(process.stdout, tell)

try {
  process.exitCode = await runCommandLine(process.argv.slice(2), (flags) => {
    const settings = findSettings(flags, process.env, existsSync(local) ? local : undefined)
    let cluster: Cluster | undefined
    return {
      settings,
      cluster: () => {
        cluster ??= openCluster(settings)
        return cluster
      },
      out: (data) => void process.stdout.write(typeof data === 'string' ? `${data}\n` : data),
      tell,
      print: tell,
      read: (file) =>
        readFile(file).catch((error: Error) => {
          throw new Failure(EXIT.usage, `${file} cannot be read: ${error.message}`)
        }),
      write: (file, bytes) =>
        writeFile(file, bytes, { mode: 0o600 }).catch((error: Error) => {
          throw new Failure(EXIT.usage, `${file} cannot be written: ${error.message}`)
        }),
      input: process.stdin,
      now: Date.now,
      nonce: () => randomBytes(16).toString('base64url'),
      delay: (ms: number, signal?: AbortSignal) =>
        delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
      signal: interrupted.signal,
      nodeVersion: process.version,
      terminal: openTerminal(process.stdin, process.stderr),
      screen: process.stdout.isTTY === true,
      colour: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    }
  })
} catch (error) {
  tell(`xrayctl: ${(error as Error).message}`)
  process.exitCode = error instanceof Failure ? error.exit : EXIT.failed
}
