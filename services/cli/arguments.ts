import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import yargs from 'yargs'
import { bundleCommand } from './bundle-command.ts'
import { get, list, raw, send, viewConfig, type World } from './commands.ts'
import { deadLettersCommands } from './dead-letters-commands.ts'
import { devicesCommands } from './devices-commands.ts'
import { doctorCommand } from './doctor-command.ts'
import { eventsCommand } from './events-command.ts'
import { explainCommand } from './explain-command.ts'
import { EXIT, Failure } from './failure.ts'
import { output, text, textOr } from './flags.ts'
import { logsCommand } from './logs-command.ts'
import { duration, positive, whole } from './numbers.ts'
import { operationsCommand } from './operations-command.ts'
import { pauseCommand, resumeCommand } from './pause-command.ts'
import { scaleCommand } from './scale-explain-command.ts'
import type { SettingName } from './settings.ts'
import { type World as SimulationWorld, simulate } from './simulate.ts'
import { statusCommand } from './status-command.ts'
import { topCommand } from './top-command.ts'
import { traceCommand } from './trace-command.ts'

export type Run = (flags: Partial<Record<SettingName, string>>) => World & SimulationWorld

const keyId = textOr("which of the device's keys", 'k1')

const version = (): string =>
  (JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }).version

/**
 * Reads a command line and runs its command.
 * @param open makes the world of the settings that were given as flags
 * @returns the exit code
 * @throws Failure
 */
export const runCommandLine = async (argv: string[], open: Run): Promise<number> => {
  let exit: number = EXIT.ok
  const act =
    <A extends object>(run: (world: World & SimulationWorld, args: A) => Promise<number> | number) =>
    async (args: A): Promise<void> => {
      const { api, ingest, namespace, pipeline, token, kubeconfig } = args as Partial<Record<SettingName, string>>
      const given = Object.entries({ api, ingest, namespace, pipeline, token, kubeconfig }).filter(
        ([, value]) => value !== undefined,
      )
      exit = await run(open(Object.fromEntries(given) as Partial<Record<SettingName, string>>), args)
    }
  const parser = yargs(argv)
    .scriptName('xrayctl')
    .usage('$0 COMMAND: sends to, reads from and looks after an XRayIOT pipeline')
    .options({
      api: text('address of the API'),
      ingest: text('address that devices post to'),
      namespace: { ...text('namespace of the pipeline'), alias: 'n' },
      pipeline: { ...text('name of the pipeline'), alias: 'p' },
      token: text('token for the API'),
      kubeconfig: text('file that names the cluster'),
    })
    .command(statusCommand(act))
    .command(topCommand(act))
    .command(pauseCommand(act))
    .command(resumeCommand(act))
    .command(explainCommand(act))
    .command(scaleCommand(act))
    .command(eventsCommand(act))
    .command(logsCommand(act))
    .command(bundleCommand(act, version()))
    .command(doctorCommand(act))
    .command(
      'send <file>',
      'signs and posts a recording from a file, or from - (standard input)',
      (y) =>
        y.positional('file', { type: 'string', demandOption: true }).options({
          device: text('device, when the file does not name it'),
          'key-id': keyId,
          wait: { type: 'boolean', default: false, describe: 'wait until it can be read' },
        }),
      act((world, args) => send(world, args.file, { device: args.device, keyId: args.keyId, wait: args.wait })),
    )
    .command(
      'simulate',
      'runs a fleet of made-up devices',
      (y) =>
        y.options({
          devices: textOr('how many', '20'),
          rate: textOr('recordings a second, all together', '5'),
          points: textOr('points in a recording', '60'),
          duration: text('how long, such as 30s; without it until it is interrupted'),
          seed: textOr('the same seed makes the same fleet', '1'),
          'key-id': keyId,
        }),
      act(async (world, args) => {
        const totals = await simulate(
          {
            devices: whole('devices', args.devices, 1, 100_000),
            ratePerSecond: positive('rate', args.rate),
            points: whole('points', args.points, 1, 1000),
            durationMs: args.duration === undefined ? undefined : duration('duration', args.duration),
            seed: whole('seed', args.seed, 0, 4_294_967_295),
            ingest: world.settings.ingest.value,
            master: await world.cluster().key(`device-master-${args.keyId}`),
            keyId: args.keyId,
          },
          world,
        )
        return totals.refused === 0 ? EXIT.ok : EXIT.partial
      }),
    )
    .command('signals', 'what is stored', (y) =>
      y
        .command(
          'list',
          'newest first',
          (z) =>
            z.options({
              page: textOr('which page', '1'),
              limit: textOr('how many', '20'),
              device: text('only this device'),
              output,
            }),
          act((world, args) =>
            list(
              world,
              new URLSearchParams({
                page: args.page,
                limit: args.limit,
                ...(args.device !== undefined && { deviceId: args.device }),
              }),
              args.output,
            ),
          ),
        )
        .command(
          'get <id>',
          'one signal',
          (z) => z.positional('id', { type: 'string', demandOption: true }),
          act((world, args) => get(world, args.id)),
        )
        .command(
          'raw <id>',
          'the bytes as the device sent them',
          (z) => z.positional('id', { type: 'string', demandOption: true }),
          act((world, args) => raw(world, args.id)),
        )
        .demandCommand(1, 'expected list, get or raw'),
    )
    .command('dlq', 'dead letters: what could not be stored', (y) => deadLettersCommands(y, act))
    .command(operationsCommand(act))
    .command(traceCommand(act))
    .command('devices', 'devices and their keys', (y) => devicesCommands(y, act))
    .command('config', 'where xrayctl looks', (y) =>
      y.command('view', 'every setting and where it comes from', {}, act(viewConfig)).demandCommand(1, 'expected view'),
    )
    .version(version())
    .strict()
    .recommendCommands()
    .demandCommand(1, 'expected a command; "xrayctl --help" lists them')
    .parserConfiguration({ 'duplicate-arguments-array': false, 'parse-positional-numbers': false })
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message, error) => {
      throw error ?? new Failure(EXIT.usage, message)
    })
  await parser.parseAsync()
  return exit
}
