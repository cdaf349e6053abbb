import type { KubeObject } from '#kit/client.ts'
import { canonical, hashOf } from './canonical.ts'
import type { Pipeline } from './pipeline.ts'

const PREFIX = 'xrayiot.dev/'
/** On every child: the hash of what was applied last, so that a field that is no longer wanted is noticed. */
const APPLIED = `${PREFIX}applied`
/** On a Deployment: the generation of the spec, the hash of what of it concerns the pods, and the keys that they mount. */
const INPUTS = `${PREFIX}inputs`
/** On a Deployment: the hash of the pod template as the build that rolled it out made it. */
const TEMPLATE = `${PREFIX}template`
/** On a Deployment that another build rolled out: its pod template, which is kept. */
const KEPT = `${PREFIX}kept-template`

type PodTemplate = {
  metadata?: { annotations?: Record<string, string>; [field: string]: unknown }
  spec?: {
    containers?: { image?: string; envFrom?: { configMapRef?: { name: string } }[] }[]
    [field: string]: unknown
  }
}

export const annotationsOf = (object: KubeObject | undefined): Record<string, string> =>
  object?.metadata.annotations ?? {}

const annotated = (intent: KubeObject, annotations: Record<string, string>): KubeObject => ({
  ...intent,
  metadata: { ...intent.metadata, annotations: { ...intent.metadata.annotations, ...annotations } },
})

/** An intent that carries its own hash. */
export const stamped = (intent: KubeObject): KubeObject => annotated(intent, { [APPLIED]: hashOf(intent) })

/** True when this very intent was applied last, by whatever process. */
export const wasApplied = (intent: KubeObject, live: KubeObject): boolean =>
  annotationsOf(live)[APPLIED] === annotationsOf(intent)[APPLIED]

const without = <T extends object, K extends keyof T>(value: T, ...fields: K[]): Omit<T, K> => {
  const copy = { ...value }
  for (const field of fields) delete copy[field]
  return copy
}

/** What of a spec concerns the pods. How many there are, and what is only the operator's business, does not. */
const inputsOf = ({ spec, metadata }: Pipeline): { generation: string; hash: string } => {
  const concerning = {
    ...without(spec, 'paused', 'deletionPolicy', 'monitoring'),
    producer: without(spec.producer, 'replicas', 'service'),
    signals: without(spec.signals, 'replicas', 'scaling'),
    api: without(spec.api, 'replicas', 'service'),
  }
  return { generation: String(metadata.generation), hash: hashOf(concerning) }
}

/** Our own annotations of a template change with what the cluster holds, such as a rotated Secret, not with the build. */
const ours = (template: PodTemplate): Record<string, string> =>
  Object.fromEntries(
    Object.entries(template.metadata?.annotations ?? {}).filter(([annotation]) => annotation.startsWith(PREFIX)),
  )

const withoutOurs = (template: PodTemplate): PodTemplate => {
  const annotations = Object.fromEntries(
    Object.entries(template.metadata?.annotations ?? {}).filter(([annotation]) => !annotation.startsWith(PREFIX)),
  )
  const { annotations: _, creationTimestamp: __, ...metadata } = template.metadata ?? {}
  return { ...template, metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) } }
}

/** The image that a Deployment is to run. */
export const imageOf = (deployment: KubeObject | undefined): string | undefined =>
  (deployment?.spec as { template?: PodTemplate } | undefined)?.template?.spec?.containers?.[0]?.image

/** The settings objects that a Deployment's pods take. */
export const settingsNamesOf = (deployment: KubeObject | undefined): string[] =>
  (
    (deployment?.spec as { template?: PodTemplate } | undefined)?.template?.spec?.containers?.flatMap(
      ({ envFrom = [] }) => envFrom,
    ) ?? []
  ).flatMap(({ configMapRef }) => configMapRef?.name ?? [])

/**
 * A Deployment as it is to be: that of this build, unless another build rolled out the live one for the same spec; then
 * its pod template is kept, so that an upgrade of the operator restarts no pod. The next change of the spec that
 * concerns the pods takes this build's. A template is kept only while the settings that it names exist.
 *
 * The spec counts as the same when its generation is: a newer CRD fills in new defaults without a new generation. It
 * counts as the same, too, when only fields changed that do not concern the pods.
 * @param keys the Secret that the pods mount: components take another one after the other, without a change of the spec
 * @param settings names of the settings objects that exist
 */
export const rolledOut = (
  pipeline: Pipeline,
  keys: string,
  intent: KubeObject,
  live: KubeObject | undefined,
  settings: ReadonlySet<string>,
): { intent: KubeObject; kept: boolean } => {
  const inputs = inputsOf(pipeline)
  const spec = intent.spec as { template: PodTemplate }
  const wanted = withoutOurs(spec.template)
  const told = { [INPUTS]: `${inputs.generation} ${inputs.hash} ${keys}`, [TEMPLATE]: hashOf(wanted) }
  const fresh = { intent: annotated(intent, told), kept: false }

  const known = annotationsOf(live)
  const [generation, hash, mounted] = (known[INPUTS] ?? '').split(' ')
  if (live === undefined || mounted !== keys || (generation !== inputs.generation && hash !== inputs.hash)) return fresh
  if (known[TEMPLATE] === undefined || known[TEMPLATE] === told[TEMPLATE]) return fresh
  const template: PodTemplate =
    known[KEPT] === undefined
      ? withoutOurs((live.spec as { template: PodTemplate }).template)
      : (JSON.parse(known[KEPT]) as PodTemplate)
  const annotations = { ...template.metadata?.annotations, ...ours(spec.template) }
  const kept: KubeObject = {
    ...intent,
    spec: {
      ...spec,
      template: {
        ...template,
        metadata: { ...template.metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
      },
    },
  }
  if (settingsNamesOf(kept).some((name) => !settings.has(name))) return fresh
  return {
    intent: annotated(kept, { ...told, [TEMPLATE]: known[TEMPLATE], [KEPT]: canonical(template) }),
    kept: true,
  }
}
