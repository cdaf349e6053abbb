import type { Cluster } from './cluster.ts'

/** One thing that somebody may do or not; with `namespaced` in the pipeline's namespace, else everywhere. */
export type Permission = { verb: string; group: string; resource: string; namespaced?: boolean }

export const textOf = ({ verb, group, resource }: Permission): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}`

/**
 * Asks the API server whether somebody may do something.
 * @param user another one than the kubeconfig's, such as system:serviceaccount:xray-system:xray-operator
 */
export const isAllowed = async (
  { kube, namespace }: Cluster,
  { verb, group, resource, namespaced = false }: Permission,
  user?: string,
): Promise<boolean> => {
  const [name, subresource] = resource.split('/')
  const resourceAttributes = {
    verb,
    group,
    resource: name,
    ...(subresource !== undefined && { subresource }),
    ...(namespaced && { namespace }),
  }
  const kind = user === undefined ? 'SelfSubjectAccessReview' : 'SubjectAccessReview'
  const answer = await kube.ask(`/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`, `a ${kind}`, {
    method: 'POST',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind,
      spec: { resourceAttributes, ...(user !== undefined && { user }) },
    },
  })
  return ((await answer.json()) as { status: { allowed: boolean } }).status.allowed
}
