import type { Argv } from 'yargs'
import type { Act, Output } from './commands.ts'
import {
  actOnMany,
  actOnOne,
  deadLetterStats,
  exportDeadLetters,
  listDeadLetters,
  type Selection,
  showDeadLetter,
} from './dead-letters.ts'

const text = (describe: string) => ({ type: 'string' as const, describe })
const output = {
  alias: 'o',
  choices: ['table', 'json'] as const,
  default: 'table' as Output,
  describe: 'how the answer is written',
}
const FILTERS = {
  reason: { ...text('only of this reason; may repeat'), array: true as const, requiresArg: true },
  device: { ...text('only of this device; may repeat'), array: true as const, requiresArg: true },
  from: text('archived from then on: an ISO date, or a duration ago such as 2h'),
  to: text('archived before then'),
  parked: { type: 'boolean' as const, describe: 'only those that failed again after a replay; --no-parked: no such' },
  limit: text('at most so many'),
}
const state = { ...text('which ones'), choices: ['open', 'replayed', 'discarded'] as const, default: 'open' as const }
const yes = { alias: 'y', type: 'boolean' as const, default: false, describe: 'do not ask' }

type Args = { [K in keyof Selection]?: Selection[K] | undefined }

/** The flags that were given. */
const selectionOf = ({ reason, device, from, to, parked, limit }: Args): Selection => ({
  ...(reason !== undefined && { reason }),
  ...(device !== undefined && { device }),
  ...(from !== undefined && { from }),
  ...(to !== undefined && { to }),
  ...(parked !== undefined && { parked }),
  ...(limit !== undefined && { limit }),
})

const acting = (y: Argv, act: Act, kind: 'replay' | 'discard', describe: string): Argv =>
  y.command(
    `${kind} [id]`,
    describe,
    (z) =>
      z.positional('id', { type: 'string' }).options({
        ...FILTERS,
        rate: { ...text('how many a second'), default: '50' },
        because: { ...text('why they are discarded'), default: 'discarded with xrayctl' },
        'dry-run': { type: 'boolean', default: false, describe: 'only count' },
        yes,
        output,
      }),
    act((world, args) => {
      const how = { kind, because: args.because, yes: args.yes, output: args.output }
      return args.id === undefined
        ? actOnMany(world, selectionOf(args), args.rate, args.dryRun, how)
        : actOnOne(world, args.id, how)
    }),
  )

/** `xrayctl dlq ...` */
export const deadLettersCommands = (y: Argv, act: Act): Argv => {
  const reading = y
    .command(
      'list',
      'newest first',
      (z) => z.options({ ...FILTERS, state, output }),
      act((world, args) => listDeadLetters(world, { ...selectionOf(args), state: args.state }, args.output)),
    )
    .command(
      'show <id>',
      'one, with its headers and its body',
      (z) => z.positional('id', { type: 'string', demandOption: true }).option('output', output),
      act((world, args) => showDeadLetter(world, args.id, args.output)),
    )
    .command(
      'stats',
      'how many are open, by reason',
      (z) => z.option('output', output),
      act((world, args) => deadLetterStats(world, args.output)),
    )
    .command(
      'export',
      'as lines of JSON, whole',
      (z) => z.options({ ...FILTERS, state }),
      act((world, args) => exportDeadLetters(world, { ...selectionOf(args), state: args.state })),
    )
  const replaying = acting(reading, act, 'replay', 'through the pipeline once more: one by its id, or all that match')
  return acting(replaying, act, 'discard', 'one by its id, or all that match').demandCommand(
    1,
    'expected list, show, stats, export, replay or discard',
  )
}
