import { randomBytes } from 'node:crypto'
import { address, kubectl, read } from '../../e2e/cluster.ts'
import { apply, conditionHolds, manifest, remove } from '../../e2e/pipeline.ts'
import { toNodeOptions } from '../../faults/sabotage.ts'
import type { Arm, Comparison } from './comparisons.ts'
import { orInterrupted } from './interruption.ts'
import { editFor, type Job, openBehind } from './jobs.ts'
import { openRelay, type Relay } from './relay.ts'

const KEYS = 'bench-scaling-keys'
const BROKER = 'bench-scaling-broker'

export const queueOf = (name: string): string => `${name}.raw.q`

const specOf = ({ name, scaling }: Arm, job: Job, behind: string | undefined) => ({
  keys: { secretRef: { name: KEYS } },
  producer: { replicas: 0 },
  api: { replicas: 0 },
  signals: {
    prefetch: job.prefetch,
    batch: { size: job.batch },
    resources: { requests: { cpu: '1m', memory: '64Mi' }, limits: { memory: '192Mi' } },
    podTemplate: { env: [{ name: 'NODE_OPTIONS', value: toNodeOptions(editFor(job, behind), 0) }] },
    scaling,
  },
  broker: {
    secretRef: { name: BROKER },
    exchange: `${name}.xray`,
    queue: queueOf(name),
    deadLetterExchange: `${name}.dlx`,
  },
})

const applySecret = (name: string, content: object): Promise<string> =>
  apply(JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'xray' }, ...content }))

/** @throws Error when the cluster has no KEDA and an arm needs it */
const setUp = async (
  { arms, job }: Comparison,
  messageKey: Buffer,
  relay: Relay,
  behindOf?: (arm: string) => string,
) => {
  const text = { 'device-master-k1': randomBytes(32).toString('hex'), 'api-admin-token': 'xrk_bench' }
  await applySecret(KEYS, { stringData: { ...text, 'message-p1': messageKey.toString('hex') } })
  // Both arms ask the broker through the relay, which counts, and falls silent when it is told to.
  const { data } = await read('secret', 'xray-rabbitmq', '-n', 'xray')
  await applySecret(BROKER, { data: { ...data, 'management-uri': Buffer.from(relay.address).toString('base64') } })
  for (const { name } of arms) await remove(name) // what a run that was killed has left
  for (const arm of arms) await apply(manifest(arm.name, specOf(arm, job, behindOf?.(arm.name))))
  for (const { name } of arms) await conditionHolds(name, 'Ready', 'True')
  for (const { name } of arms.filter(({ scaling }) => scaling.provider === 'KEDA'))
    await conditionHolds(name, 'ScalingActive', 'True', 'LeftToKeda').catch((error: Error) => {
      throw new Error(`expected a cluster with KEDA, "npm start -- --with keda": ${error.message}`)
    })
}

/**
 * Runs with the pipelines of a comparison, whose messages one key signs, so that the same message is each one's; takes
 * away what it has made, whatever happens.
 * @throws Error when the cluster has no KEDA and an arm needs it
 */
export const withArms = async <T>(
  comparison: Comparison,
  interrupted: AbortSignal,
  run: (messageKey: Buffer, relay: Relay) => Promise<T>,
): Promise<T> => {
  const { arms, job } = comparison
  const messageKey = randomBytes(32)
  const relay = await openRelay(`http://${await address('xray-rabbitmq')}:15672`)
  const behind = job.sharedPerSecond === undefined ? undefined : await openBehind(job.sharedPerSecond)
  try {
    await orInterrupted(interrupted, setUp(comparison, messageKey, relay, behind?.address))
    return await run(messageKey, relay)
  } finally {
    const removed = await Promise.allSettled(arms.map(({ name }) => remove(name)))
    await kubectl(['delete', 'secret', KEYS, BROKER, '-n', 'xray', '--ignore-not-found'])
    await relay.close() // after the pipelines: with them their queues go, through the relay
    await behind?.close()
    for (const one of removed) if (one.status === 'rejected') console.error(String(one.reason))
  }
}
