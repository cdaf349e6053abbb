import type { KubeObject } from './object.ts'

/** Where a kind of object lives in the API. */
export type Resource = { group: string; version: string; plural: string; kind: string }

export const apiVersionOf = ({ group, version }: Resource): string => (group === '' ? version : `${group}/${version}`)

/** The path of a collection, in one namespace or in all. */
export const collectionPath = (resource: Resource, namespace?: string): string =>
  [
    resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`,
    ...(namespace === undefined ? [] : [`namespaces/${namespace}`]),
    resource.plural,
  ].join('/')

/** The path of one object. */
export const objectPath = (resource: Resource, namespace: string, name: string): string =>
  `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`

/** `namespace/name`, the key under which caches and queues know an object. */
export const keyOf = ({ metadata }: Pick<KubeObject, 'metadata'>): string =>
  `${metadata.namespace ?? ''}/${metadata.name}`

/** The path of the object that a key tells of. */
export const pathOfKey = (resource: Resource, key: string): string => {
  const slash = key.indexOf('/')
  return objectPath(resource, key.slice(0, slash), key.slice(slash + 1))
}
