import type { Client, KubeObject } from '#kit/client.ts'
import { objectPath } from '#kit/resource.ts'
import { RESOURCES } from '../decide/resources.ts'

const MANAGER = 'xray-operator-handover'

/** Leaves the number of a Deployment's pods as it is to whoever sets it next. */
export type Handover = (deployment: KubeObject) => Promise<void>

/**
 * A field that its only owner no longer applies is removed, and of a Deployment without a number one pod is left. So
 * before the operator leaves it out, the present number gets a second owner, from whom the next who sets it takes it.
 * That is Kubernetes' own way of handing a number to an HPA.
 */
export const createHandover =
  (client: Client): Handover =>
  async ({ apiVersion, kind, metadata: { name, namespace = '', resourceVersion }, spec }) => {
    const { replicas } = spec as { replicas?: number }
    await client.request({
      method: 'PATCH',
      path: objectPath(RESOURCES.deployment, namespace, name),
      query: { fieldManager: MANAGER, force: 'true', fieldValidation: 'Strict' },
      contentType: 'application/apply-patch+yaml',
      // With its version: a number that somebody has set meanwhile is not put back, but 409 is answered.
      body: { apiVersion, kind, metadata: { name, namespace, resourceVersion }, spec: { replicas } },
    })
  }
