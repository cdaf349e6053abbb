import type { CommandModule } from 'yargs'
import { conditionOf, type PipelineView, pipelinePath } from './cluster.ts'
import type { Act, World } from './commands.ts'
import { EXIT, Failure } from './failure.ts'
import { text, textOr } from './flags.ts'
import { duration } from './numbers.ts'

const POLL_MS = 250

const MEANING = {
  true: 'pods go on and messages flow, but nothing is scaled, repaired or rolled out until "xrayctl resume"',
  false: 'the operator brings it to what its spec says, from now on',
} as const

/** True when the operator has said of this very spec that it is paused, or that it is not. */
const saidSo = (pipeline: PipelineView, paused: boolean): boolean =>
  conditionOf(pipeline, 'Paused')?.status === (paused ? 'True' : 'False') &&
  (pipeline.status?.observedGeneration ?? -1) >= (pipeline.metadata.generation ?? 0)

/**
 * Sets `spec.paused` and waits until the operator says that it has seen it.
 * @throws Failure timeout when it does not within `timeoutMs`; the spec stays changed
 */
export const setPaused = async (world: World, paused: boolean, timeoutMs: number): Promise<number> => {
  const { kube, namespace, name, pipeline } = world.cluster()
  const what = `the pipeline ${namespace}/${name}`
  const word = paused ? 'paused' : 'resumed'
  let seen = await pipeline()
  const already = seen.spec.paused === paused
  if (!already) seen = await kube.patch<PipelineView>(pipelinePath(namespace, name), { spec: { paused } }, what)
  const deadline = world.now() + timeoutMs
  while (!saidSo(seen, paused)) {
    if (world.signal.aborted) return EXIT.interrupted
    if (world.now() > deadline) {
      const { status = 'unknown', reason = 'no status yet' } = conditionOf(seen, 'Paused') ?? {}
      throw new Failure(
        EXIT.timeout,
        `${what}: spec.paused is ${paused}, but after ${timeoutMs / 1000} s the operator still says Paused=${status} (${reason}); "xrayctl doctor" tells whether it runs`,
      )
    }
    await world.delay(POLL_MS, world.signal)
    seen = await pipeline()
  }
  world.out(`${namespace}/${name} ${already ? `was ${word} already` : word}`)
  world.tell(MEANING[`${paused}`])
  return EXIT.ok
}

const command = (
  act: Act,
  name: string,
  paused: boolean,
  describe: string,
): CommandModule<object, { timeout: string }> => ({
  command: `${name} [pipeline]`,
  describe,
  builder: (y) =>
    y
      .positional('pipeline', text('its name'))
      .option('timeout', textOr('how long to wait for the operator to say so', '30s')) as never,
  handler: act((world, { timeout }) => setPaused(world, paused, duration('timeout', timeout))),
})

export const pauseCommand = (act: Act) =>
  command(act, 'pause', true, 'stops the operator from changing a pipeline; its pods go on')
export const resumeCommand = (act: Act) => command(act, 'resume', false, 'lets the operator look after it again')
