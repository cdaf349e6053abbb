import { stringify } from 'yaml'
import type { CommandModule } from 'yargs'
import { type PipelineView, pipelinePath } from './cluster.ts'
import type { Act, World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import { text, watching, yesOrNo } from './flags.ts'
import { createPaint } from './paint.ts'
import { isHealthy, toList, toSections } from './status.ts'
import { watch } from './watch.ts'

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

/** Draws over the last picture on a terminal; elsewhere one follows the other. */
const show = (world: World, picture: string, { output, watch: streaming }: Args): void => {
  const drawn = streaming && world.screen && ['table', 'wide'].includes(output)
  world.out(drawn ? `\u001b[H\u001b[2J${picture}` : picture)
}

const follow = async (world: World, args: Args): Promise<number> => {
  const { namespace, name, pipelines } = world.cluster()
  const { items, resourceVersion } = await pipelines(args.allNamespaces)
  const known = new Map(items.map((item) => [`${item.metadata.namespace}/${item.metadata.name}`, item]))
  const key = `${namespace}/${name}`
  const wanted = () => (args.allNamespaces ? [...known.values()] : [known.get(key)].filter((one) => one !== undefined))
  let last = ''
  const redraw = () => {
    const picture = render(world, wanted(), args)
    if (picture !== last) show(world, picture, args)
    last = picture
  }
  redraw()
  const path = pipelinePath(args.allNamespaces ? undefined : namespace)
  for await (const { type, object } of watch<PipelineView>(world, path, 'the pipelines', resourceVersion)) {
    const changed = `${object.metadata.namespace}/${object.metadata.name}`
    if (type === 'DELETED') known.delete(changed)
    else known.set(changed, object)
    if (!args.allNamespaces && !known.has(key)) throw new Failure(EXIT.notFound, `the pipeline ${key} was deleted`)
    redraw()
  }
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
