import type { CommandModule } from 'yargs'
import { DEVICE_ID, MESSAGE_ID } from '#contract/ids.ts'
import type { Act, World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import { text, textOr, yesOrNo } from './flags.ts'
import { LEVELS, type Level, type LogFilter, type LogLine, passes, pretty } from './log-line.ts'
import { duration, whole } from './numbers.ts'
import { createPaint } from './paint.ts'
import { COMPONENTS, type Component, followLogs, type Pod, podsPath, readLog } from './pod-logs.ts'

const FORMATS = ['pretty', 'raw', 'json'] as const
type Args = {
  component: Component | undefined
  follow: boolean
  since: string | undefined
  tail: string
  level: Level | undefined
  device: string | undefined
  messageId: string | undefined
  output: (typeof FORMATS)[number]
}

const MOST_LINES = 1_000_000

const filterOf = ({ level, device, messageId }: Args): LogFilter => {
  if (device !== undefined && !DEVICE_ID.test(device))
    throw new Failure(EXIT.usage, `--device: expected 24 lower-case hex digits, got "${device}"`)
  if (messageId !== undefined && !MESSAGE_ID.test(messageId))
    throw new Failure(EXIT.usage, `--message-id: expected 32 lower-case hex digits, got "${messageId}"`)
  return { level, device, messageId }
}

const queryOf = ({ since, tail }: Args): Record<string, string> => ({
  ...(since !== undefined && { sinceSeconds: String(Math.ceil(duration('since', since) / 1000)) }),
  ...(tail !== 'all' && { tailLines: String(whole('tail', tail, 0, MOST_LINES)) }),
})

/** Writes lines: pretty with the pod before each, as JSON with the pod in it, or raw as the process wrote them. */
const writer = (world: World, output: Args['output']) => {
  const paint = createPaint(world.colour)
  const turns = new Map<string, number>()
  return (line: LogLine): void => {
    if (!turns.has(line.source)) turns.set(line.source, turns.size)
    if (output === 'raw') world.out(line.text)
    else if (output === 'json')
      world.out(JSON.stringify({ pod: line.source, at: line.at, ...(line.fields ?? { msg: line.text }) }))
    else world.out(`${paint.turn(turns.get(line.source) ?? 0, line.source)} ${pretty(line, paint)}`)
  }
}

/** Each failure was told before. */
const exitOfReadings = ([first, ...more]: readonly Failure[], readings: number): number => {
  if (first === undefined) return EXIT.ok
  return 1 + more.length < readings ? EXIT.partial : first.exit
}

const logs = async (world: World, args: Args): Promise<number> => {
  const { kube, namespace, name, pipeline } = world.cluster()
  const [filter, query] = [filterOf(args), queryOf(args)]
  const path = podsPath(namespace, name, args.component)
  const { items: pods, resourceVersion } = await kube.list<Pod>(path, `the pods of ${namespace}/${name}`)
  if (pods.length === 0 && args.component !== 'operator') await pipeline()
  if (pods.length === 0 && !args.follow)
    throw new Failure(
      EXIT.notFound,
      `${namespace}/${name} has no pod of ${args.component ?? 'any component'}; "xrayctl status" says why`,
    )
  const show = writer(world, args.output)
  const readings = await Promise.all(pods.map((pod) => readLog(world, pod, query)))
  const read = readings.map(({ lines }) => lines)
  const last = new Map(read.flatMap((lines) => lines.slice(-1).map(({ source, at }) => [source, at] as const)))
  const lines = read.flat().sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0))
  for (const line of lines) if (passes(line, filter)) show(line)
  const failures = readings.flatMap(({ failure }) => failure ?? [])
  if (!args.follow) return exitOfReadings(failures, readings.length)
  if (failures.some(({ exit }) => exit === EXIT.denied)) return EXIT.denied
  await followLogs(world, path, pods, resourceVersion, last, (line) => {
    if (passes(line, filter)) show(line)
  })
  return EXIT.interrupted
}

export const logsCommand = (act: Act): CommandModule<object, Args> => ({
  command: 'logs [component]',
  describe: "all pods' logs of a pipeline, merged by time",
  builder: (y) =>
    y.positional('component', { ...text('only of this one'), choices: COMPONENTS }).options({
      follow: { ...yesOrNo('goes on with what comes, also from new pods'), alias: 'f' },
      since: text('only so far back, such as 10m'),
      tail: textOr('the last so many lines of each pod, or all', '200'),
      level: { ...text('only from this level up'), choices: LEVELS },
      device: text('only lines that name this device'),
      'message-id': text('only lines that name this message'),
      output: { alias: 'o', choices: FORMATS, default: 'pretty', describe: 'how lines are written' },
    }) as never,
  handler: act(logs),
})
