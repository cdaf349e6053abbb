import { type ChildProcess, spawn } from 'node:child_process'

export type CommandOptions = { cwd?: string; env?: NodeJS.ProcessEnv; input?: string }

/** A command that ended with another status than 0; the message ends with the last lines it printed. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly status: number | null
  constructor(command: string, status: number | null, output: string) {
    super(`"${command}" ended with ${status}:\n${output.trimEnd().split('\n').slice(-15).join('\n')}`)
    this.status = status
  }
}

const running = new Set<ChildProcess>()

/** Ends the commands that run now, with all that they started: who interrupts us must not leave a build behind. */
export const endCommands = (): void => {
  for (const { pid } of running)
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL')
    } catch {
      // it has ended meanwhile
    }
}

/**
 * Runs a command to its end.
 * @returns what it wrote to standard output
 * @throws CommandError when it cannot be started or its status is not 0
 */
export const run = (command: string, args: string[], options: CommandOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'], detached: true }) // a group of its own
    running.add(child)
    const [out, all]: [Buffer[], Buffer[]] = [[], []]
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stdout.on('data', (chunk: Buffer) => all.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => all.push(chunk))
    child.stdin.on('error', () => undefined) // a command that does not read its input may close it first
    child.stdin.end(options.input ?? '')
    const line = [command, ...args].join(' ').slice(0, 300)
    child.on('error', (error) => reject(new CommandError(line, null, error.message)))
    child.on('close', (status) => {
      running.delete(child)
      if (status === 0) resolve(Buffer.concat(out).toString())
      else reject(new CommandError(line, status, Buffer.concat(all).toString()))
    })
  })

/** True when the command's status is 0. */
export const succeeds = (command: string, args: string[], options?: CommandOptions): Promise<boolean> =>
  run(command, args, options).then(
    () => true,
    () => false,
  )
