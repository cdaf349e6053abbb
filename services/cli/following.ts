import { type PipelineView, pipelinePath } from './cluster.ts'
import type { World } from './commands.ts'
import { watch } from './watch.ts'

export const pipelineKey = ({ metadata }: PipelineView): string => `${metadata.namespace}/${metadata.name}`

/**
 * Follows the pipelines of the namespace, or of all, until the user interrupts.
 * @param changed told all there are, by `namespace/name`: at first, and after every change
 */
export const followPipelines = async (
  world: World,
  everywhere: boolean,
  changed: (known: ReadonlyMap<string, PipelineView>) => void,
): Promise<void> => {
  const { namespace, pipelines } = world.cluster()
  const { items, resourceVersion } = await pipelines(everywhere)
  const known = new Map(items.map((item) => [pipelineKey(item), item]))
  changed(known)
  const path = pipelinePath(everywhere ? undefined : namespace)
  for await (const { type, object } of watch<PipelineView>(world, path, 'the pipelines', resourceVersion)) {
    if (type === 'DELETED') known.delete(pipelineKey(object))
    else known.set(pipelineKey(object), object)
    changed(known)
  }
}

/** Draws over the last picture where there is a screen to draw on; elsewhere one follows the other. */
export const draw = ({ out, screen }: World, picture: string, over: boolean): void =>
  out(over && screen ? `\u001b[H\u001b[2J${picture}` : picture)
