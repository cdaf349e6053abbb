import type { Secrets } from './cluster/secrets.ts'
import type { Pipeline } from './decide/pipeline.ts'
import type { OperatorMetrics } from './metrics.ts'
import type { Memories } from './observe.ts'
import type { PipelineMetrics } from './pipeline-metrics.ts'

export type Forgetful = {
  memories: Pick<Memories, 'forget'>
  pipelineMetrics: Pick<PipelineMetrics, 'forget'>
  unmeasured: OperatorMetrics['unmeasured']
  secrets: Pick<Secrets, 'forget'>
}

/** Forgets all that is kept of a pipeline that is gone; its series would tell its last depth for ever. */
export const createForget =
  ({ memories, pipelineMetrics, unmeasured, secrets }: Forgetful) =>
  (pipeline: Pipeline): void => {
    const { uid = '' } = pipeline.metadata
    memories.forget(uid)
    secrets.forget(uid)
    pipelineMetrics.forget(pipeline)
    unmeasured(pipeline)
  }
