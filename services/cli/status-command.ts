import { stringify } from 'yaml'
import type { CommandModule } from 'yargs'
import type { PipelineView } from './cluster.ts'
import type { Act, World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import { text, watching, yesOrNo } from './flags.ts'
import { draw, followPipelines } from './following.ts'
import { createPaint } from './paint.ts'
import { isHealthy, toList, toSections } from './status.ts'

const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const
type Args = { watch: boolean; allNamespaces: boolean; output: (typeof FORMATS)[number] }

/** One pipeline or many, as a program or a person reads them; `managedFields` are for neither. */
const render = (world: World, pipelines: PipelineView[], { output, watch: streaming, allNamespaces }: Args): string => {
  const bare = pipelines.map(({ metadata: { managedFields: _, ...metadata }, ...rest }) => ({ ...rest, metadata }))
  const data = allNamespaces ? bare : bare[0]
  if (output === 'name') return pipelines.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join('\n')
  if (output === 'json') return JSON.stringify(data, null, streaming ? 0 : 2)
  if (output === 'yaml') return `${streaming ? '---\n' : ''}${stringify(data)}`.trimEnd()
  if (allNamespaces) return toList(pipelines, world.now())
  return pipelines
    .map((pipeline) => toSections(pipeline, world.now(), output === 'wide', createPaint(world.colour)))
    .join('\n')
}

const follow = async (world: World, args: Args): Promise<number> => {
  const { namespace, name } = world.cluster()
  const key = `${namespace}/${name}`
  let last = ''
  await followPipelines(world, args.allNamespaces, (known) => {
    if (!args.allNamespaces && !known.has(key)) throw new Failure(EXIT.notFound, `the pipeline ${key} was deleted`)
    const picture = render(world, args.allNamespaces ? [...known.values()] : [known.get(key) as PipelineView], args)
    if (picture !== last) draw(world, picture, ['table', 'wide'].includes(args.output))
    last = picture
  })
  return EXIT.interrupted
}

const status = async (world: World, args: Args): Promise<number> => {
  const { pipeline, pipelines } = world.cluster()
  // A name that is wrong is told before anything is watched.
  const found = args.allNamespaces ? (await pipelines(true)).items : [await pipeline()]
  if (args.watch) return follow(world, args)
  world.out(render(world, found, args))
  return found.every(isHealthy) ? EXIT.ok : EXIT.failed
}

export const statusCommand = (act: Act): CommandModule<object, Args> => ({
  command: 'status [pipeline]',
  describe: 'the pipeline, its stages, its scaling and its conditions; fails unless it is ready',
  builder: (y) =>
    y.positional('pipeline', text('its name')).options({
      watch: watching,
      'all-namespaces': { ...yesOrNo('every pipeline, a line each'), alias: 'A' },
      output: { alias: 'o', choices: FORMATS, default: 'table', describe: 'how it is written' },
    }) as never,
  handler: act(status),
})
