import type { Argv, CommandModule } from 'yargs'
import { type Act, ask, json, type Output, type World } from './commands.ts'
import { agreed } from './consent.ts'
import { EXIT } from './failure.ts'
import { output, text, textOr, yesOrNo } from './flags.ts'
import { whole } from './numbers.ts'
import { follow, type OperationView, outcomeLine } from './operation.ts'
import { toTable } from './table.ts'

type Row = OperationView & { startedAt: string }

const pathOf = (id: string): string => `/api/operations/${encodeURIComponent(id)}`
const look = async (world: World, id: string): Promise<Row> => (await (await ask(world, pathOf(id))).json()) as Row

const list = async (world: World, limit: string, format: Output): Promise<number> => {
  const query = `?limit=${whole('limit', limit, 1, 100)}`
  const { data } = (await (await ask(world, `/api/operations${query}`)).json()) as { data: Row[] }
  const rows = data.map(({ id, kind, state, total, done, failed, startedAt }) =>
    [id, kind, state, `${done + failed}/${total}`, failed, startedAt].map(String),
  )
  world.out(format === 'json' ? json(data) : toTable(['ID', 'KIND', 'STATE', 'DONE', 'FAILED', 'STARTED'], rows))
  return EXIT.ok
}

/** Follows an operation to its end; one that has ended is told at once. */
const watchOne = async (world: World, id: string, format: Output): Promise<number> => {
  const { operation, exit } = await follow(world, await look(world, id), (same) => look(world, same))
  if (format === 'json') world.out(json(operation))
  else if (exit !== EXIT.interrupted) world.out(outcomeLine(operation))
  return exit
}

const cancel = async (world: World, id: string, yes: boolean): Promise<number> => {
  const { kind, state, total, done, failed } = await look(world, id)
  if (state === 'running')
    await agreed(
      world,
      `Cancel the ${kind} ${id} after ${done + failed} of ${total}? What it has done stays done, the rest stays open.`,
      yes,
    )
  const ended = (await (await ask(world, pathOf(id), { method: 'DELETE' })).json()) as Row
  world.out(outcomeLine(ended))
  return EXIT.ok
}

const id = { ...text('its id'), demandOption: true as const }

/** `xrayctl ops ...` */
export const operationsCommand = (act: Act): CommandModule => ({
  command: 'ops',
  describe: 'long work on dead letters: what runs, how far it is, and how it ended',
  builder: (y: Argv) =>
    y
      .command(
        'list',
        'newest first',
        (z) => z.options({ limit: textOr('how many', '20'), output }),
        act((world, args) => list(world, args.limit, args.output)),
      )
      .command(
        'watch <id>',
        'follows one to its end; an interruption leaves it running',
        (z) => z.positional('id', id).option('output', output),
        act((world, args) => watchOne(world, args.id, args.output)),
      )
      .command(
        'cancel <id>',
        'ends one before its time',
        (z) => z.positional('id', id).option('yes', { ...yesOrNo('do not ask'), alias: 'y' }),
        act((world, args) => cancel(world, args.id, args.yes)),
      )
      .demandCommand(1, 'expected list, watch or cancel'),
  handler: () => undefined,
})
