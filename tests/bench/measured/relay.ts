import { createServer, request, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { closeServer, listen } from '#runtime/probe.ts'
import { BRIDGE_ADDRESS } from '../../../k8s/local/paths.ts'

/** Where pods, and processes of this machine, reach a server of this process. */
export const addressOf = (server: Server): string =>
  `http://${BRIDGE_ADDRESS}:${(server.address() as AddressInfo).port}`

export type Relay = {
  address: string
  /** Requests so far, by who sent them. */
  requests: () => { operator: number; keda: number }
  /** From now on requests are taken and nothing is answered. */
  fallSilent: () => void
  /** Those that wait lose their connection; later ones are answered. */
  speak: () => void
  close: () => Promise<void>
}

/**
 * Stands between those who decide and a server, such as the broker's management API. A rule of the network would take
 * the kubelet's probe away, too, and with it the broker's Service.
 * @param target such as `http://10.96.0.7:15672`
 */
export const openRelay = async (target: string): Promise<Relay> => {
  let silent = false
  const waiting = new Set<Socket>()
  const count = { operator: 0, keda: 0 }
  const server = createServer((asked, answered) => {
    count[/^(keda|go-http)/i.test(asked.headers['user-agent'] ?? '') ? 'keda' : 'operator']++
    if (silent) return void waiting.add(asked.socket)
    const { method, headers, url } = asked
    const forwarded = request(new URL(target), { method, headers, path: url }, (answer) => {
      answered.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(answered)
    })
    forwarded.on('error', () => answered.destroy())
    answered.on('close', () => forwarded.destroy())
    asked.pipe(forwarded)
  })
  await listen(server, 0)
  return {
    address: addressOf(server),
    requests: () => ({ ...count }),
    fallSilent: () => {
      silent = true
    },
    speak: () => {
      silent = false
      for (const socket of waiting) socket.destroy()
      waiting.clear()
    },
    close: () => {
      server.closeAllConnections()
      return closeServer(server)
    },
  }
}
