import { gzipSync } from 'node:zlib'
import type { CommandModule } from 'yargs'
import { collect } from './bundle.ts'
import type { Act, World } from './commands.ts'
import { EXIT } from './failure.ts'
import { text, textOr } from './flags.ts'
import { duration } from './numbers.ts'
import { toTar } from './tar.ts'

type Args = { file: string | undefined; since: string }

const writeBundle = async (world: World, { file, since }: Args, version: string): Promise<number> => {
  const { namespace, name } = world.cluster()
  const sinceSeconds = String(Math.ceil(duration('since', since) / 1000))
  const stamp = new Date(world.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
  const folder = `xray-support-${namespace}-${name}-${stamp}Z`.slice(-90)
  world.tell(`collecting what tells how ${namespace}/${name} is ...`)
  const entries = await collect(world, { sinceSeconds }, version)
  const target = file ?? `${folder}.tar.gz`
  const bytes = gzipSync(toTar(entries, world.now()))
  await world.write(target, bytes)
  world.out(target)
  world.tell(
    `${entries.length} files, ${Math.ceil(bytes.length / 1024)} KiB; Secrets by name and by key names only, but read it before you give it away`,
  )
  return entries.some((entry) => entry.name === 'left-out.txt') ? EXIT.partial : EXIT.ok
}

export const bundleCommand = (act: Act, version: string): CommandModule<object, Args> => ({
  command: 'support-bundle [pipeline]',
  describe: 'writes spec, status, children, events, logs and versions into one archive, without secrets',
  builder: (y) =>
    y.positional('pipeline', text('its name')).options({
      file: { ...text('where to; without it a name with the time in it'), alias: 'f' },
      since: textOr('logs so far back', '1h'),
    }) as never,
  handler: act((world, args) => writeBundle(world, args, version)),
})
