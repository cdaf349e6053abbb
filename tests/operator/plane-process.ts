import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../stand/condition.ts'

/** A process of the light control plane; it ends with the test that started it. */
export type PlaneProcess = {
  pid: number
  kill: () => Promise<void>
}

const READY_LIMIT_MS = 60_000

const lastLines = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n')

/**
 * Starts a process and waits until it is ready; its output goes to `NAME.log` of the folder, after what stands there.
 * @throws Error with the end of its log when it ends, or is not ready in a minute
 */
export const startPlaneProcess = async (
  folder: string,
  name: string,
  command: string,
  args: string[],
  ready: () => Promise<boolean>,
  env: Record<string, string> = {},
): Promise<PlaneProcess> => {
  const file = join(folder, `${name}.log`)
  const log = openSync(file, 'a')
  const child = spawn(command, args, { stdio: ['ignore', log, log], cwd: folder, env: { ...process.env, ...env } })
  closeSync(log)
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} could not be started`)
  const running = () => child.exitCode === null && child.signalCode === null
  const ended = once(child, 'exit')
  // A test run that is cut short leaves nothing behind.
  const orphaned = () => child.kill('SIGKILL')
  process.once('exit', orphaned)
  void ended.then(() => process.removeListener('exit', orphaned))
  const kill = async (): Promise<void> => {
    if (!running()) return
    child.kill('SIGKILL')
    await ended
  }
  const state = await must(`${name} to be ready (log: ${file})`, READY_LIMIT_MS, async () => {
    if (!running()) return 'ended'
    return (await ready()) ? 'ready' : undefined
  }).catch(async (error: Error) => {
    await kill()
    throw new Error(`${error.message}:\n${lastLines(file)}`)
  })
  if (state === 'ended') throw new Error(`${name} ended at once:\n${lastLines(file)}`)
  return { pid, kill }
}
