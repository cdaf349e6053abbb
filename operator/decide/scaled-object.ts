import type { Scaling, ScalingRules, Trigger } from '#contract/scaling/block.ts'
import { pausesOf } from '#contract/scaling/pauses.ts'
import type { KubeObject } from '#kit/client.ts'
import type { Resource } from '#kit/resource.ts'
import { labelsOf, type Pipeline } from './pipeline.ts'

/** The kinds of KEDA's, in the order in which they are applied; a cluster may not have them. */
export const KEDA = {
  triggerAuthentication: {
    group: 'keda.sh',
    version: 'v1alpha1',
    plural: 'triggerauthentications',
    kind: 'TriggerAuthentication',
  },
  scaledObject: { group: 'keda.sh', version: 'v1alpha1', plural: 'scaledobjects', kind: 'ScaledObject' },
} as const satisfies Record<string, Resource>

export type KedaKind = keyof typeof KEDA

/** An HPA without policies grows by 4 or 100 % in 15 s; so many pods are as good as no limit. */
const unlimited = ({ maxReplicaCount }: Scaling) => [{ type: 'Pods', value: maxReplicaCount, periodSeconds: 15 }]

/**
 * A part as Kubernetes writes a quantity, in thousandths: KEDA reads and writes a ScaledObject whole, and what is not
 * written so already would seem to have been changed by it.
 */
const quantity = (part: number): string => {
  const thousandths = Math.round(part * 1000)
  return thousandths % 1000 === 0 ? String(thousandths / 1000) : `${thousandths}m`
}

const rulesOf = (rules: ScalingRules, scaling: Scaling) => ({
  stabilizationWindowSeconds: rules.stabilizationWindowSeconds,
  selectPolicy: rules.selectPolicy,
  policies: rules.policies.length > 0 ? rules.policies : unlimited(scaling),
  tolerance: quantity(rules.tolerance),
})

/** The keys of a Secret for each of the authModes. */
const KEYS = { bearer: ['bearerToken'], basic: ['username', 'password'], none: [] } as const

const credentialsName = ({ metadata }: Pipeline, index: number): string => `${metadata.name}-trigger-${index}`

const triggerOf = (trigger: Trigger, index: number, pipeline: Pipeline, managementUri: string): object => {
  const { metadata, spec } = pipeline
  const { type, name } = trigger
  const named = { type, ...(name !== undefined && { name }) }
  if (trigger.type === 'prometheus')
    // By default KEDA takes a value that is missing for 0, and ends the pods of a target that is lost.
    return {
      ...named,
      metadata: { ...trigger.metadata, ignoreNullValues: 'false' },
      ...(trigger.authenticationRef !== undefined && {
        authenticationRef: { name: credentialsName(pipeline, index) },
      }),
    }
  const { queueName: _, vhostName: __, ...given } = trigger.metadata
  return {
    ...named,
    // By AMQP it would see neither unacknowledged messages nor rates.
    metadata: {
      protocol: 'http',
      host: managementUri,
      vhostName: spec.broker.vhost,
      queueName: spec.broker.queue,
      mode: 'QueueLength',
      ...given,
    },
    authenticationRef: { name: metadata.name },
  }
}

/** What annotations of the pipeline hold back, in KEDA's words. */
const pausesInKeda = (annotations: Record<string, string> | undefined): Record<string, string> => {
  const { paused, replicas, scaleIn, scaleOut, forced } = pausesOf(annotations)
  const texts = {
    ...(replicas !== undefined ? { 'paused-replicas': String(replicas) } : paused ? { paused: 'true' } : {}),
    ...(scaleIn && { 'paused-scale-in': 'true' }),
    ...(scaleOut && { 'paused-scale-out': 'true' }),
    ...(forced && { 'force-activation': 'true' }),
  }
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [`autoscaling.keda.sh/${name}`, text]))
}

/**
 * The ScaledObject of a pipeline whose provider is KEDA, and the credentials that it reads.
 * @param managementUri of the broker's management API, without credentials
 */
export const scaledObjectOf = (pipeline: Pipeline, managementUri: string): Record<KedaKind, KubeObject[]> => {
  const { name, namespace = '' } = pipeline.metadata
  const { scaling } = pipeline.spec.signals
  const { idleReplicaCount, fallback, behavior } = scaling
  const metadata = { name, namespace, labels: labelsOf(name, 'signals') }
  const secret = pipeline.spec.broker.secretRef.name
  const authentication = (named: string, from: string, keys: readonly string[]): KubeObject => ({
    apiVersion: 'keda.sh/v1alpha1',
    kind: KEDA.triggerAuthentication.kind,
    metadata: { ...metadata, name: named },
    spec: { secretTargetRef: keys.map((key) => ({ parameter: key, name: from, key })) },
  })
  return {
    triggerAuthentication: [
      authentication(name, secret, ['username', 'password']),
      ...scaling.triggers.flatMap((trigger, index) =>
        trigger.type === 'prometheus' && trigger.authenticationRef !== undefined
          ? [
              authentication(credentialsName(pipeline, index), trigger.authenticationRef.name, [
                ...KEYS[trigger.metadata.authModes ?? 'none'],
                'ca', // KEDA takes a key that is not there for one that is not needed
              ]),
            ]
          : [],
      ),
    ],
    scaledObject: [
      {
        apiVersion: 'keda.sh/v1alpha1',
        kind: KEDA.scaledObject.kind,
        metadata: { ...metadata, annotations: pausesInKeda(pipeline.metadata.annotations) },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: `${name}-signals` },
          pollingInterval: scaling.pollingInterval,
          cooldownPeriod: scaling.cooldownPeriod,
          initialCooldownPeriod: scaling.initialCooldownPeriod,
          minReplicaCount: scaling.minReplicaCount,
          maxReplicaCount: scaling.maxReplicaCount,
          ...(idleReplicaCount === 0 && { idleReplicaCount }),
          ...(fallback !== undefined && { fallback }),
          advanced: {
            horizontalPodAutoscalerConfig: {
              behavior: {
                scaleUp: rulesOf(behavior.scaleUp, scaling),
                scaleDown: rulesOf(behavior.scaleDown, scaling),
              },
            },
          },
          triggers: scaling.triggers.map((trigger, index) => triggerOf(trigger, index, pipeline, managementUri)),
        },
      },
    ],
  }
}

/** What of the block KEDA cannot do, each as a field and why; for the condition of a pipeline whose provider it is. */
export const unsupportedByKeda = ({ dryRun, idleReplicaCount, drain, triggers }: Scaling): string[] => [
  'slo: KEDA knows neither the rate of a pod nor a drain time; value and threshold decide',
  ...(dryRun ? ['dryRun: KEDA scales'] : []),
  ...(idleReplicaCount !== undefined && idleReplicaCount > 0 ? ['idleReplicaCount: only 0 works with an HPA'] : []),
  ...(drain.strategy === 'Cooperative' ? ['drain: an HPA chooses a number, not the pods that go'] : []),
  ...(triggers.some(({ type, metadata }) => type === 'rabbitmq' && metadata.mode === 'MessageRate')
    ? ['triggers: with MessageRate what has gathered counts for activity only']
    : []),
]
