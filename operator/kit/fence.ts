import type { Client } from './client.ts'
import { NotLeadingError } from './errors.ts'

/**
 * A client that writes only while `isLeader`, which is asked right before each try is sent: what waited for its turn,
 * or for the server to be ready again, is not sent any more by one who has lost the lease meanwhile.
 * @returns a client whose writes throw NotLeadingError otherwise; its reads are never refused
 */
export const fenced = (client: Client, isLeader: () => boolean): Client => ({
  ...client,
  request: (request) => {
    if (request.method === 'GET') return client.request(request)
    const allow = () => {
      request.allow?.()
      if (!isLeader()) throw new NotLeadingError(`${request.method} ${request.path} is the leader's to send`)
    }
    return client.request({ ...request, allow })
  },
})
