import { type Pace, sendPaced, serveOnePlan } from './pace.ts'

// Reads addresses of the API in turn, in a process of its own.

export type Plan = Pace & { token: string; paths: string[] }

serveOnePlan<Plan>((plan) => {
  const requests = plan.paths.map((path) => [
    Buffer.from(`GET ${path} HTTP/1.1\r\nhost: api\r\nauthorization: Bearer ${plan.token}\r\n\r\n`, 'latin1'),
  ])
  return sendPaced(plan, (turn) => requests[turn % requests.length] as Buffer[], 200)
})
