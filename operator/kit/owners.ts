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

/**
 * Who has the name that an object is to be made by: a sentence, when what has it is not the intent's owner's. Without a
 * controller it is still ours if our manager applied it: somebody took the owner's reference away.
 */
export const holderOf = (found: KubeObject, intent: KubeObject, fieldManager: string): string | undefined => {
  const references = found.metadata.ownerReferences ?? []
  const owner = intent.metadata.ownerReferences?.find(({ controller }) => controller)
  if (owner === undefined || references.some(({ uid }) => uid === owner.uid)) return undefined
  const holder = references.find(({ controller }) => controller)
  if (holder !== undefined) {
    const former = holder.kind === owner.kind && holder.name === owner.name
    return `it is controlled by ${former ? 'a former ' : ''}${holder.kind} ${holder.name}`
  }
  const applied = found.metadata.managedFields?.some(
    ({ manager, operation }) => manager === fieldManager && operation === 'Apply',
  )
  return applied ? undefined : 'it has no controller'
}

/** The keys of the owners of a kind, which are in the object's own namespace: whom a change of the object concerns. */
export const ownerKeys = (object: KubeObject | undefined, kind: string): string[] =>
  object?.metadata.ownerReferences
    ?.filter((owner) => owner.kind === kind)
    .map(({ name }) => `${object.metadata.namespace ?? ''}/${name}`) ?? []
