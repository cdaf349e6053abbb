/** Every reason of a decision: the same word in log, event, condition and status, and what it means. */
export const SCALING_REASONS = {
  ScalingOff: 'spec.signals.replicas decides, because provider is None',
  LeftToKeda: 'a ScaledObject decides, because provider is KEDA',
  KedaMissing: 'provider is KEDA and the cluster has no KEDA; the number stays',
  KedaPending: 'provider is KEDA, and KEDA has not said yet what it makes of the ScaledObject',
  KedaNotReady: 'provider is KEDA, and KEDA says that it cannot use the ScaledObject; the number stays',
  KedaLeaving: 'provider is no longer KEDA, but its ScaledObject or HPA is not gone yet; the number stays until then',
  Conflict: 'another HPA or ScaledObject scales the same pods; the number stays until it is gone',
  Paused: 'an annotation holds the number',
  BacklogUnknown: 'a trigger cannot be read or is too old; the number stays, or grows by those that can be read',
  Fallback: 'a trigger could not be read for too long, and spec.signals.scaling.fallback decides',
  QueueEmpty: 'there is nothing to do, and has not been for the cooldown period',
  CoolingDown: 'there is nothing to do; the last pods stay for the cooldown period',
  UnackedMessages: 'the queue is idle, but a message is unacknowledged; the last pod stays',
  BacklogAndRate: 'backlog and arrival, divided by what a pod does, ask for this number',
  TriggerValue: 'the value of a prometheus trigger asks for this number',
  Steady: 'what is wanted is what there is, or so near that it is left',
  SoonDrained: 'the pods that there are will have drained the queue before another could help',
  ScalingIneffective: 'more pods brought no more throughput: something behind them is the limit',
  AtMaximum: 'more would be wanted than maxReplicaCount',
  Stabilizing: 'fewer are wanted, or more, but not yet for the whole stabilization window',
  PolicyLimit: 'the policies of behavior allow no further change yet',
  BurstHold: 'a burst is on, or the operator has just started: nothing is taken away for a minute',
  DataContradicts: "the broker's figures contradict each other: nothing is taken away",
} as const

/** Why a prometheus trigger cannot be read. */
export const TRIGGER_PROBLEMS = ['SecretMissing', 'CredentialsRefused', 'NoAnswer', 'NoValue'] as const

export type TriggerProblem = { name: string; reason: (typeof TRIGGER_PROBLEMS)[number]; message: string }

export type ScalingReason = keyof typeof SCALING_REASONS
