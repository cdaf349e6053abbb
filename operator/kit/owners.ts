import type { KubeObject, OwnerReference } from './object.ts'

/**
 * The reference by which an owner controls an object: the garbage collector deletes the object with it, and the owner
 * does not go in the foreground before.
 */
export const controllerReference = ({ apiVersion, kind, metadata }: KubeObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
})

/** The keys of the owners of a kind, which are in the object's own namespace: whom a change of the object concerns. */
export const ownerKeys = (object: KubeObject | undefined, kind: string): string[] =>
  object?.metadata.ownerReferences
    ?.filter((owner) => owner.kind === kind)
    .map(({ name }) => `${object.metadata.namespace ?? ''}/${name}`) ?? []
