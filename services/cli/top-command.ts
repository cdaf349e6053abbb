import type { CommandModule } from 'yargs'
import type { PipelineView } from './cluster.ts'
import type { Act, Output, World } from './commands.ts'
import { EXIT } from './failure.ts'
import { output, watching, yesOrNo } from './flags.ts'
import { draw, followPipelines } from './following.ts'
import { SORTS, type Sort, sortRows, toRow, toTop } from './top.ts'

type Args = { watch: boolean; allNamespaces: boolean; output: Output; sort: Sort }

const top = async (world: World, { watch, allNamespaces, output: format, sort }: Args): Promise<number> => {
  let last = ''
  const show = (pipelines: readonly PipelineView[]): void => {
    const rows = sortRows(pipelines.map(toRow), sort)
    const picture = format === 'json' ? JSON.stringify(rows, null, watch ? 0 : 2) : toTop(rows)
    if (picture !== last) draw(world, picture, watch && format === 'table')
    last = picture
  }
  if (watch) {
    await followPipelines(world, allNamespaces, (known) => show([...known.values()]))
    return EXIT.interrupted
  }
  show((await world.cluster().pipelines(allNamespaces)).items)
  return EXIT.ok
}

export const topCommand = (act: Act): CommandModule<object, Args> => ({
  command: 'top',
  describe: 'pipelines by what they have to do: backlog, rates, pods, and why there are so many',
  builder: {
    watch: watching,
    'all-namespaces': { ...yesOrNo('every namespace'), alias: 'A' },
    output,
    sort: { choices: SORTS, default: 'backlog', describe: 'what comes first' },
  },
  handler: act(top),
})
