import type { KubeObject } from './object.ts'

/** A merge patch that holds only for the version it was made of: a list cannot be merged, only replaced. */
export type FinalizerPatch = { metadata: { resourceVersion: string | undefined; finalizers: string[] } }

export const hasFinalizer = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.finalizers?.includes(finalizer) ?? false

export const withFinalizer = ({ metadata }: KubeObject, finalizer: string): FinalizerPatch => {
  const others = (metadata.finalizers ?? []).filter((other) => other !== finalizer)
  return { metadata: { resourceVersion: metadata.resourceVersion, finalizers: [...others, finalizer] } }
}

export const withoutFinalizer = ({ metadata }: KubeObject, finalizer: string): FinalizerPatch => ({
  metadata: {
    resourceVersion: metadata.resourceVersion,
    finalizers: (metadata.finalizers ?? []).filter((other) => other !== finalizer),
  },
})
