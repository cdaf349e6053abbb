import type { CommandModule } from 'yargs'
import { DEVICE_ID, MESSAGE_ID } from '#contract/ids.ts'
import { type Act, ask, type Output, type World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import { toTable } from './table.ts'

export type LifecycleView = {
  messageId: string
  state: string
  deviceId?: string
  signalId?: string
  attempts?: number
  traceId?: string
  events: { at: string; what: string; detail?: string }[]
}

type Args = { id: string; device: string | undefined; output: Output }

/** The lifecycle as a person reads it: a sentence, what happened and when since the start, and where to look further. */
export const toTimeline = ({ messageId, state, deviceId, signalId, traceId, events }: LifecycleView): string => {
  const first = Date.parse(events[0]?.at ?? '')
  const rows = events.map(({ at, what, detail = '' }) => [at, `+${Date.parse(at) - first} ms`, what, detail])
  return [
    `Message ${messageId}: ${state}`,
    ...(deviceId === undefined ? [] : [`Device  ${deviceId}`]),
    ...(signalId === undefined ? [] : [`Signal  ${signalId}`]),
    ...(traceId === undefined ? [] : [`Trace   ${traceId}`]),
    ...(rows.length === 0 ? [] : ['', toTable(['TIME', 'AFTER', 'EVENT', 'DETAIL'], rows)]),
  ].join('\n')
}

/** Tells what became of a message. */
export const trace = async (world: World, { id, device, output }: Args): Promise<number> => {
  if (!MESSAGE_ID.test(id) && !/^[0-9a-f]{24}$/.test(id))
    throw new Failure(EXIT.usage, `id: expected 32 hex digits of a message or 24 of a signal, got "${id}"`)
  if (device !== undefined && !DEVICE_ID.test(device))
    throw new Failure(EXIT.usage, `--device: expected 24 lower-case hex digits, got "${device}"`)
  const query = device === undefined ? '' : `?deviceId=${device}`
  const lifecycle = (await (await ask(world, `/api/signals/${id}/trace${query}`)).json()) as LifecycleView
  world.out(output === 'json' ? JSON.stringify(lifecycle, null, 2) : toTimeline(lifecycle))
  return EXIT.ok
}

export const traceCommand = (act: Act): CommandModule<object, Args> => ({
  command: 'trace <id>',
  describe: 'what became of a message, by its id or that of its signal',
  builder: (y) =>
    y.positional('id', { type: 'string', demandOption: true }).options({
      device: { type: 'string', describe: 'its device: makes the search for an old message short' },
      output: { alias: 'o', choices: ['table', 'json'] as const, default: 'table' as Output },
    }) as never,
  handler: act(trace),
})
