/**
 * A trigger in KEDA's words, so that one can be pasted out of a ScaledObject. All settings are text, as there.
 * rabbitmq watches the pipeline's own queue: messages (QueueLength) or messages a second (MessageRate) for one pod.
 * prometheus asks an instant query; its value divided by `threshold` is the number of pods.
 */
export type Trigger = RabbitTrigger | PrometheusTrigger

export type RabbitTrigger = {
  type: 'rabbitmq'
  name?: string
  metadata: {
    mode?: 'QueueLength' | 'MessageRate'
    value: string
    activationValue?: string
    excludeUnacknowledged?: 'true' | 'false'
    /** Of a pasted trigger: the schema refuses others than the pipeline's own. */
    queueName?: string
    vhostName?: string
  }
}

export type PrometheusTrigger = {
  type: 'prometheus'
  name?: string
  metadata: {
    serverAddress: string
    query: string
    threshold: string
    activationThreshold?: string
    authModes?: 'bearer' | 'basic'
  }
  /** The Secret with `bearerToken`, or `username` and `password`, and `ca` of a server that no public authority vouches for. */
  authenticationRef?: { kind: 'Secret'; name: string }
}

/** A policy of `autoscaling/v2`: at most so many pods, or percent of them, in a period. */
export type ScalingPolicy = { type: 'Pods' | 'Percent'; value: number; periodSeconds: number }

/** The rules of `autoscaling/v2` for one direction. Without policies the direction has no limit. */
export type ScalingRules = {
  stabilizationWindowSeconds: number
  selectPolicy: 'Max' | 'Min' | 'Disabled'
  policies: ScalingPolicy[]
  /** A part of the present number; a change that is smaller is left. */
  tolerance: number
}

export type FallbackBehavior = 'static' | 'currentReplicas' | 'currentReplicasIfHigher' | 'currentReplicasIfLower'

/** `spec.signals.scaling`, with its defaults filled in. */
export type Scaling = {
  /** Native: the operator decides. KEDA: a ScaledObject does. None: `spec.signals.replicas` does. */
  provider: 'Native' | 'KEDA' | 'None'
  dryRun: boolean
  idleReplicaCount?: number
  minReplicaCount: number
  maxReplicaCount: number
  /** Seconds. */
  pollingInterval: number
  /** Seconds without anything to do until the last pods go. */
  cooldownPeriod: number
  initialCooldownPeriod: number
  triggers: Trigger[]
  slo: { targetDrainSeconds: number; targetUtilization: number }
  behavior: { scaleUp: ScalingRules; scaleDown: ScalingRules }
  /** Without it the number stays while nothing is known. */
  fallback?: { failureThreshold: number; replicas: number; behavior: FallbackBehavior }
  drain: { strategy: 'Cooperative' | 'Sigterm'; timeoutSeconds: number }
}

export const SCALING_DEFAULTS: Scaling = {
  provider: 'Native',
  dryRun: false,
  minReplicaCount: 0,
  maxReplicaCount: 20,
  pollingInterval: 5,
  cooldownPeriod: 300,
  initialCooldownPeriod: 0,
  triggers: [{ type: 'rabbitmq', metadata: { mode: 'QueueLength', value: '20', activationValue: '0' } }],
  slo: { targetDrainSeconds: 60, targetUtilization: 0.75 },
  behavior: {
    scaleUp: { stabilizationWindowSeconds: 0, selectPolicy: 'Max', policies: [], tolerance: 0.1 },
    scaleDown: {
      stabilizationWindowSeconds: 120,
      selectPolicy: 'Max',
      policies: [{ type: 'Percent', value: 50, periodSeconds: 30 }],
      tolerance: 0.1,
    },
  },
  drain: { strategy: 'Cooperative', timeoutSeconds: 300 },
}
