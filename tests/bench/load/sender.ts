import { randomBytes } from 'node:crypto'
import { deriveDeviceKey } from '#contract/device-key.ts'
import { sha256Hex } from '#contract/digest.ts'
import { signRequest } from '#contract/request-signature.ts'
import { type Pace, sendPaced, serveOnePlan } from './pace.ts'

// Posts signed recordings, in a process of its own, so that its event loop is not that of the benchmark.

export type Plan = Pace & { masterHex: string; devices: number; points: number }

type Device = { id: string; key: Buffer; bodies: Buffer[]; timestampAt: number }

const BODIES_PER_DEVICE = 4
const TIMESTAMP = '"timestamp":'

const deviceOf = (index: number, { masterHex, points }: Plan): Device => {
  const id = (0x66bb584d * 2 ** 20 + index).toString(16).padStart(24, '0')
  const bodies = Array.from({ length: BODIES_PER_DEVICE }, (_, variant) => {
    const data = Array.from({ length: points }, (_point, at) => [
      at * 1001 + variant,
      [51.339764 + at / 1e5 + index / 1e6, 12.339223833333334 + at / 1e5, 1.2038000000000002 + at / 100],
    ])
    return Buffer.from(JSON.stringify({ deviceId: id, timestamp: 1735683480000, data }))
  })
  const [first] = bodies
  if (first === undefined) throw new Error('a device needs a body')
  return {
    id,
    key: deriveDeviceKey(Buffer.from(masterHex, 'hex'), id, 'k1'),
    bodies,
    timestampAt: first.indexOf(TIMESTAMP) + TIMESTAMP.length,
  }
}

/** The next request of a device, head and body: its own time, nonce and signature. */
const requestOf = ({ id, key, bodies, timestampAt }: Device, turn: number): Buffer[] => {
  const body = Buffer.from(bodies[turn % BODIES_PER_DEVICE] as Buffer)
  const nowMs = Date.now()
  body.write(String(nowMs), timestampAt, 'latin1')
  const timestampSeconds = Math.floor(nowMs / 1000)
  const nonce = randomBytes(16).toString('base64url')
  const signed = { method: 'POST', path: '/v1/ingest', deviceId: id, keyId: 'k1', timestampSeconds, nonce }
  const signature = signRequest(key, { ...signed, bodySha256Hex: sha256Hex(body) }).toString('hex')
  const head = `POST /v1/ingest HTTP/1.1\r\nhost: producer\r\ncontent-type: application/json\r\nx-device-id: ${id}\r\nx-key-id: k1\r\nx-timestamp: ${timestampSeconds}\r\nx-nonce: ${nonce}\r\nx-signature: v1=${signature}\r\ncontent-length: ${body.length}\r\n\r\n`
  return [Buffer.from(head, 'latin1'), body]
}

serveOnePlan<Plan>((plan) => {
  const devices = Array.from({ length: plan.devices }, (_, index) => deviceOf(index, plan))
  return sendPaced(plan, (turn) => requestOf(devices[turn % devices.length] as Device, turn), 202)
})
