import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { CommandError, run } from './command.ts'
import { CHECKOUT } from './paths.ts'
import { until } from './progress.ts'
import { binary } from './tools.ts'

/** The cluster that the product is installed on. */
export type Target = {
  kubectl: (args: string[], input?: string) => Promise<string>
  helmArguments: string[]
  local: boolean
}

const SAMPLE = join(CHECKOUT, 'k8s/samples/leipzig.yaml')
const DATA_CHARTS = ['rabbitmq', 'mongodb', 'redis']

/** Runs helm, or one of its major versions. */
export const helm = (args: string[], tool: 'helm' | 'helm3' = 'helm'): Promise<string> =>
  run(binary(tool, 'helm'), args)

const install = (target: Target, chart: string, release: string, namespace: string, more: string[]): Promise<string> =>
  helm([
    'upgrade',
    '--install',
    release,
    join(CHECKOUT, 'charts', chart),
    '--namespace',
    namespace,
    '--create-namespace',
    ...target.helmArguments,
    ...more,
  ])

/** The values that somebody gave a release stay theirs, and what the chart has anew comes through. */
const KEEP_VALUES = ['--reset-then-reuse-values']

/**
 * What is set of the operator's release: its image, and on the local cluster one replica, because a machine with one
 * node has nothing to gain from a second, unless somebody has set how many.
 * @param image with its tag, such as localhost/xrayiot:ab12
 * @param kept the values that the release was given before, as `helm get values` tells them; null for none
 */
export const operatorValues = (image: string, local: boolean, kept: object | null): string[] => {
  const at = image.lastIndexOf(':')
  const fields = ['registry=', `repository=${image.slice(0, at)}`, `tag=${image.slice(at + 1)}`, 'digest=']
  return [
    ...KEEP_VALUES,
    ...fields.flatMap((field) => ['--set-string', `image.${field}`]),
    ...(local && !Object.hasOwn(kept ?? {}, 'replicas') ? ['--set', 'replicas=1'] : []),
  ]
}

/** The values that a release was given, without the chart's own; null when it was given none, or is not there. */
const valuesOf = async (target: Target, release: string, namespace: string): Promise<object | null> => {
  try {
    const args = ['get', 'values', release, '--namespace', namespace, '--output', 'json', ...target.helmArguments]
    return JSON.parse(await helm(args)) as object | null
  } catch (error) {
    if (error instanceof CommandError && error.message.includes('release: not found')) return null
    throw error
  }
}

const localValues = (chart: string): string[] => ['--values', join(import.meta.dirname, 'values', `${chart}.yaml`)]

/** Installs the data services and the operator with helm. */
export const installCharts = async (target: Target, image: string): Promise<string> => {
  // One by one: each waits for its own pods anyway, and two releases at once would fight for two cores.
  for (const chart of DATA_CHARTS)
    await install(target, chart, `xray-${chart}`, 'xray', target.local ? localValues(chart) : KEEP_VALUES)
  const kept = await valuesOf(target, 'xray-operator', 'xray-system')
  const values = operatorValues(image, target.local, kept)
  await install(target, 'xray-operator', 'xray-operator', 'xray-system', values)
  return `xray-${DATA_CHARTS.join(', xray-')} and xray-operator`
}

/** Waits until every pod of the data services serves. */
export const dataServicesReady = async (target: Target): Promise<string> => {
  for (const chart of DATA_CHARTS)
    await target.kubectl(['rollout', 'status', `statefulset/xray-${chart}`, '-n', 'xray', '--timeout=240s'])
  await target.kubectl(['rollout', 'status', 'deployment/xray-operator', '-n', 'xray-system', '--timeout=120s'])
  return 'RabbitMQ, MongoDB, Redis and the operator serve'
}

/**
 * Applies the sample pipeline and waits until it is ready with the image. It names the image, because an operator that
 * was upgraded leaves the pods of a pipeline whose spec has not changed as they are.
 */
export const sampleReady = async (target: Target, image: string): Promise<string> => {
  const sample = parse(readFileSync(SAMPLE, 'utf8')) as { spec: object }
  await target.kubectl(['apply', '-f', '-'], JSON.stringify({ ...sample, spec: { ...sample.spec, image } }))
  await until('the pipeline leipzig to be ready', 180, async () => {
    const { metadata, status } = JSON.parse(
      await target.kubectl(['get', 'xraypipeline', 'leipzig', '-n', 'xray', '-o', 'json']),
    )
    const ready = status?.conditions?.find(({ type }: { type: string }) => type === 'Ready')
    const current = status?.observedGeneration === metadata.generation && status?.components?.producer?.image === image
    if (current && ready?.status === 'True') return true
    throw new Error(`${ready?.reason ?? 'no status yet'}: ${ready?.message ?? 'the operator has not looked at it'}`)
  })
  return 'xrp/leipzig is Ready'
}
