import type { Output } from './commands.ts'

/** Flags that several commands have, as yargs takes them. */
export const text = (describe: string) => ({ type: 'string' as const, describe })
export const textOr = (describe: string, fallback: string) => ({ ...text(describe), default: fallback })
export const yesOrNo = (describe: string) => ({ type: 'boolean' as const, default: false, describe })
export const output = {
  alias: 'o',
  choices: ['table', 'json'] as const,
  default: 'table' as Output,
  describe: 'how the answer is written',
}
export const watching = { ...yesOrNo('goes on and shows every change'), alias: 'w' }
