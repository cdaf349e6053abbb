import type { Argv } from 'yargs'
import type { Act, Output } from './commands.ts'
import { disable, enable, keygen, listDevices, type Rotation, revoke, rotate } from './devices.ts'
import { duration, whole } from './numbers.ts'

const text = (describe: string) => ({ type: 'string' as const, describe })
const textOr = (describe: string, fallback: string) => ({ ...text(describe), default: fallback })
const device = { type: 'string' as const, demandOption: true as const, describe: 'its 24 hex digits' }
const yes = { type: 'boolean' as const, alias: 'y', default: false, describe: 'do not ask' }
const output = {
  alias: 'o',
  choices: ['table', 'json'] as const,
  default: 'table' as Output,
  describe: 'how the answer is written',
}

const rotationOf = (args: {
  keyId: string | undefined
  secretStdin: boolean
  notBefore: string | undefined
  notAfter: string | undefined
  retireAfter: string
}): Rotation => ({ ...args, retireAfterMs: duration('retire-after', args.retireAfter) })

/** `xrayctl devices ...` */
export const devicesCommands = (y: Argv, act: Act): Argv =>
  y
    .command(
      'list',
      'those that are registered or that have sent something',
      (z) => z.options({ limit: textOr('how many', '20'), cursor: text('where the last page ended'), output }),
      act((world, args) => {
        const query = new URLSearchParams({ limit: String(whole('limit', args.limit, 1, 100)) })
        if (args.cursor !== undefined) query.set('cursor', args.cursor)
        return listDevices(world, query, args.output)
      }),
    )
    .command(
      'keygen <device>',
      'the key that a device signs with',
      (z) => z.positional('device', device).option('key-id', textOr("which of the device's keys", 'k1')),
      act((world, args) => keygen(world, args.device, args.keyId)),
    )
    .command(
      'rotate <device>',
      'gives a device a new key; the former one retires',
      (z) =>
        z.positional('device', device).options({
          'key-id': text('its name; without it the next one'),
          'secret-stdin': { type: 'boolean', default: false, describe: 'takes a key of your own, 64 hex digits' },
          'not-before': text('from when on the new key holds, such as 2026-01-01T00:00:00Z'),
          'not-after': text('when the new key ends'),
          'retire-after': textOr('how long the former key holds beside it', '24h'),
        }),
      act((world, args) => rotate(world, args.device, rotationOf(args))),
    )
    .command(
      'revoke <device> <key>',
      'takes a key from a device for good',
      (z) =>
        z.positional('device', device).positional('key', { type: 'string', demandOption: true }).option('yes', yes),
      act((world, args) => revoke(world, args.device, args.key, args.yes)),
    )
    .command(
      'disable <device>',
      'refuses whatever a device sends',
      (z) => z.positional('device', device).option('yes', yes),
      act((world, args) => disable(world, args.device, args.yes)),
    )
    .command(
      'enable <device>',
      'takes what a device sends again',
      (z) => z.positional('device', device),
      act((world, args) => enable(world, args.device)),
    )
    .demandCommand(1, 'expected list, keygen, rotate, revoke, disable or enable')
