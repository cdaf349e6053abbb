import { createInterface } from 'node:readline/promises'
import { EXIT } from './failure.ts'

/** What can be done only where a person sits. */
export type Terminal = {
  /** True when questions can be asked and lines drawn over. */
  interactive: boolean
  /** Writes over the current line. */
  draw: (line: string) => void
  /** Asks a yes-or-no question; anything but yes is no. */
  confirm: (question: string, signal: AbortSignal) => Promise<boolean>
}

/**
 * Ends the process when whoever reads its output has gone, as `head` does: quietly, because they have seen enough.
 * Any other failure to write is told.
 */
export const endWithReader = (output: NodeJS.WriteStream, tell: (line: string) => void): void =>
  void output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok)
    tell(`xrayctl: standard output: ${error.message}`)
    process.exit(EXIT.failed)
  })

/** A terminal on standard input and standard error: standard output is for data. */
export const openTerminal = (input: NodeJS.ReadStream, output: NodeJS.WriteStream): Terminal => ({
  interactive: input.isTTY === true && output.isTTY === true,
  draw: (line) => void output.write(`\r\u001b[K${line}`),
  confirm: async (question, signal) => {
    const lines = createInterface({ input, output })
    try {
      return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim())
    } catch {
      return false // interrupted, or the input ended
    } finally {
      lines.close()
    }
  },
})
