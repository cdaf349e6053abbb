import type { CommandModule } from 'yargs'
import type { Act, World } from './commands.ts'
import { concerns, type EventLine, type EventView, inOrder, toEventLine } from './events.ts'
import { EXIT } from './failure.ts'
import { text, watching } from './flags.ts'
import { duration } from './numbers.ts'
import { createPaint } from './paint.ts'
import { toTable } from './table.ts'
import { watch } from './watch.ts'

type Args = { watch: boolean; since: string | undefined; output: 'table' | 'json' }

export const eventsPath = (namespace: string): string => `/apis/events.k8s.io/v1/namespaces/${namespace}/events`

/** Every event that concerns the pipeline, oldest first, and the version from which a watch goes on. */
export const readEvents = async (
  world: World,
): Promise<{ lines: EventLine[]; resourceVersion: string; ours: (event: EventView) => boolean }> => {
  const { kube, namespace, name, pipelines } = world.cluster()
  const names = (await pipelines()).items.map(({ metadata }) => metadata.name)
  const { items, resourceVersion } = await kube.list<EventView>(eventsPath(namespace), `the events of ${namespace}`)
  const ours = (event: EventView) => concerns(event, name, names)
  return { lines: inOrder(items.filter(ours).map(toEventLine)), resourceVersion, ours }
}

const events = async (world: World, { watch: following, since, output }: Args): Promise<number> => {
  const { namespace, name, pipeline } = world.cluster()
  const fromMs = since === undefined ? 0 : world.now() - duration('since', since)
  const { lines, resourceVersion, ours } = await readEvents(world)
  const recent = lines.filter(({ at }) => Date.parse(at) >= fromMs)
  // The events of a pipeline outlive it; one that was never there is told.
  if (lines.length === 0) await pipeline()
  const paint = createPaint(world.colour)
  const cells = ({ at, type, reason, object, count, message }: EventLine): string[] => [
    `${at.slice(0, 19)}Z`,
    type,
    reason,
    object,
    String(count),
    message,
  ]
  const marked = (row: string, type: string | undefined): string => (type === 'Warning' ? paint.odd(row) : row)
  const one = (line: EventLine) =>
    world.out(output === 'json' ? JSON.stringify(line) : marked(cells(line).join('   '), line.type))
  if (following) recent.forEach(one)
  else if (output === 'json') world.out(JSON.stringify(recent, null, 2))
  else {
    const rows = toTable(['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'COUNT', 'MESSAGE'], recent.map(cells)).split('\n')
    world.out(rows.map((row, index) => marked(row, recent[index - 1]?.type)).join('\n'))
  }
  if (recent.length === 0) world.tell(`no events of ${namespace}/${name}; the cluster forgets them after an hour`)
  if (!following) return EXIT.ok
  // A watch that has to begin anew tells everything once more.
  const known = new Set(recent.map((line) => JSON.stringify(line)))
  for await (const { type, object } of watch<EventView>(world, eventsPath(namespace), 'the events', resourceVersion)) {
    const line = toEventLine(object)
    if (type === 'DELETED' || !ours(object) || known.has(JSON.stringify(line))) continue
    known.add(JSON.stringify(line))
    one(line)
  }
  return EXIT.interrupted
}

export const eventsCommand = (act: Act): CommandModule<object, Args> => ({
  command: 'events [pipeline]',
  describe: 'what happened to the pipeline and to everything it owns, oldest first',
  builder: (y) =>
    y.positional('pipeline', text('its name')).options({
      watch: watching,
      since: text('only so far back, such as 10m'),
      output: { alias: 'o', choices: ['table', 'json'] as const, default: 'table' },
    }) as never,
  handler: act(events),
})
