/** What annotations of a pipeline hold back, as KEDA's do of a ScaledObject. */
export type Pauses = { paused: boolean; replicas?: number; scaleIn: boolean; scaleOut: boolean; forced: boolean }

const PREFIXES = ['xrayiot.dev/', 'autoscaling.keda.sh/']

/** As KEDA reads them: any value but false is true. */
const isSet = (value: string | undefined): boolean =>
  value !== undefined && !['false', 'False', '0', 'f'].includes(value)

/**
 * Reads the annotations `paused`, `paused-replicas`, `paused-scale-in`, `paused-scale-out` and `force-activation`, with
 * our prefix or KEDA's; ours is read first. A number of replicas that is none is left.
 */
export const pausesOf = (annotations: Record<string, string> = {}): Pauses => {
  const read = (name: string) => PREFIXES.map((prefix) => annotations[prefix + name]).find((text) => text !== undefined)
  const replicas = /^\d{1,4}$/.test(read('paused-replicas') ?? '') ? Number(read('paused-replicas')) : undefined
  return {
    paused: isSet(read('paused')) || replicas !== undefined,
    ...(replicas !== undefined && { replicas }),
    scaleIn: isSet(read('paused-scale-in')),
    scaleOut: isSet(read('paused-scale-out')),
    forced: isSet(read('force-activation')),
  }
}
