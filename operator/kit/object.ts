/** An object of the API, as JSON; what is not named here is passed through untouched. */
export type KubeObject = {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [field: string]: unknown
}

export type ObjectMeta = {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: ManagedFields[]
}

export type OwnerReference = {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** Who owns which fields; `fieldsV1` is the API's tree of `f:name`, `k:{…}`, `v:…` and `.`. */
export type ManagedFields = {
  manager: string
  operation: 'Apply' | 'Update'
  subresource?: string
  fieldsV1?: FieldSet
}

export type FieldSet = { [path: string]: FieldSet }

/** `metav1.Status`: the body of an answer that is no success, and of a watch's ERROR. */
export type Status = {
  code?: number
  reason?: string
  message?: string
  details?: { retryAfterSeconds?: number; causes?: { reason?: string; message?: string; field?: string }[] }
}
