/** One request to the API server, by what it asks for. */
export type Asked = {
  /** Its place among all requests. */
  ordinal: number
  kind: 'list' | 'watch' | 'read' | 'write'
  method: string
  resource: string
  subresource: string
  namespace: string
  name: string
  /** What the API server answered; undefined while it has not. */
  status: number | undefined
}

const kindOf = (method: string, name: string, query: URLSearchParams): Asked['kind'] => {
  if (method !== 'GET') return 'write'
  if (query.get('watch') === 'true') return 'watch'
  return name === '' ? 'list' : 'read'
}

/** Reads the path of an API server: `/apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE`. */
export const askedFor = (method: string, url: string): Omit<Asked, 'ordinal' | 'status'> => {
  const [path = '', search = ''] = url.split('?')
  const parts = path.split('/').slice(path.startsWith('/apis/') ? 4 : 3)
  const namespaced = parts[0] === 'namespaces' && parts.length > 2
  const [resource = '', name = '', subresource = ''] = namespaced ? parts.slice(2) : parts
  const namespace = namespaced ? (parts[1] ?? '') : ''
  return { kind: kindOf(method, name, new URLSearchParams(search)), method, resource, subresource, namespace, name }
}

/** `patch deployments/p-api`, for a message. */
export const told = ({ method, resource, subresource, name }: Asked): string =>
  `${method.toLowerCase()} ${resource}/${name}${subresource === '' ? '' : `/${subresource}`}`
