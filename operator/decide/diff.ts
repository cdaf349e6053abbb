import type { KubeObject } from '#kit/client.ts'

/**
 * The lists that server-side apply merges by key, as the API's schema declares them (`x-kubernetes-list-map-keys`):
 * others may have entries of their own in them. Every other list is ours as a whole.
 */
const LIST_KEYS: Record<string, readonly string[]> = {
  containers: ['name'],
  env: ['name'],
  imagePullSecrets: ['name'],
  ownerReferences: ['uid'],
  ports: ['containerPort', 'port', 'protocol'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  volumeMounts: ['mountPath'],
  volumes: ['name'],
}
/** Maps that are owned as a whole (`x-kubernetes-map-type: atomic`): one entry more would select something else. */
const ATOMIC_MAPS = new Set(['selector', 'matchLabels', 'nodeSelector', 'podSelector', 'labelSelector'])
/** Below these every list is atomic, whatever its name is elsewhere. */
const ATOMIC_LISTS = new Set(['ingress', 'egress'])
const QUANTITIES = new Set(['requests', 'limits'])

const SUFFIXES: Record<string, number> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
}

/** The API server writes 1000m as 1 and 1024Mi as 1Gi. */
const amountOf = (quantity: unknown): unknown => {
  const [, digits, suffix = ''] = /^([0-9.]+)([A-Za-z]*)$/.exec(String(quantity)) ?? []
  const factor = SUFFIXES[suffix]
  return digits === undefined || factor === undefined ? quantity : Number((Number(digits) * factor).toPrecision(12))
}

/** Go leaves out what is empty; false and 0 it keeps, where they differ from nothing. */
const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0)

type Fields = Record<string, unknown>

const differs = (wanted: unknown, found: unknown, path: string, atomic: boolean): string | undefined => {
  const name = path.slice(path.lastIndexOf('.') + 1)
  if (isEmpty(wanted) && isEmpty(found)) return undefined
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found)) return path
    const keys = atomic ? undefined : LIST_KEYS[name]
    if (keys === undefined && wanted.length !== found.length) return path
    const counterpart = (item: unknown, index: number): unknown =>
      keys === undefined
        ? found[index]
        : found.find((other: Fields) => keys.every((key) => other[key] === (item as Fields)[key]))
    return first(
      wanted.map((item, index) => [item, counterpart(item, index), path] as const),
      atomic || ATOMIC_LISTS.has(name),
    )
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof found !== 'object' || found === null) return path
    const whole = ATOMIC_MAPS.has(name)
    if (whole && Object.keys(found).some((key) => (wanted as Fields)[key] === undefined)) return path
    return first(
      Object.entries(wanted).map(([key, value]) => [value, (found as Fields)[key], `${path}.${key}`] as const),
      atomic || ATOMIC_LISTS.has(name),
    )
  }
  if (QUANTITIES.has(path.split('.').at(-2) ?? '') && amountOf(wanted) === amountOf(found)) return undefined
  return wanted === found ? undefined : path
}

const first = (
  pairs: readonly (readonly [wanted: unknown, found: unknown, path: string])[],
  atomic: boolean,
): string | undefined => {
  for (const [wanted, found, path] of pairs) {
    const difference = differs(wanted, found, path, atomic)
    if (difference !== undefined) return difference
  }
  return undefined
}

/**
 * The first field of an intent that the live object does not have as wanted, such as `spec.template.spec.containers.image`;
 * undefined when applying the intent would change none of its fields. What the API server fills in and what others
 * added does not count. A field that is no longer in the intent is not seen here: the hash of the intent tells.
 */
export const differenceOf = (intent: KubeObject, live: KubeObject): string | undefined => {
  const { apiVersion: _, kind: __, ...fields } = intent
  return differs(fields, live, '', false)?.slice(1)
}
