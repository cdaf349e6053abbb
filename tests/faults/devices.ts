import { randomBytes } from 'node:crypto'
import { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { within } from '../stand/condition.ts'
import { startBoth } from './broker.ts'
import type { Fault } from './fault.ts'
import { bodyOf, deviceIdOf } from './load.ts'
import { make, TIMESTAMP_MS } from './request-rows.ts'
import { sendRecorded } from './requests.ts'
import type { Stage } from './stage.ts'

/** A producer follows the registry in this time. */
const FOLLOWS_WITHIN_MS = 30_000
/** None of the load's devices. */
const [ROTATED, REVOKED] = [deviceIdOf(40), deviceIdOf(41)]
const PAUSE_MS = 50

/** Starts the API. @returns what asks it to change a device */
const startApi = async (stage: Stage) => {
  const token = randomBytes(16)
  stage.setKey('api', 'api-admin-token', token)
  stage.setKey('api', 'device-master-k1', stage.deviceMaster)
  const api = await stage.start('api')
  await api.ready()
  return async (path: string): Promise<{ keyId?: string }> => {
    const answer = await fetch(`${api.url}/api/devices/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token.toString('hex')}`, 'content-type': 'application/json' },
      body: '{}',
    })
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as { keyId?: string }
  }
}

/**
 * A device goes from its first key to a new one while it sends, and the first key is revoked; another device's only
 * key is revoked at once.
 */
const deviceKeys = async (stage: Stage): Promise<void> => {
  const { producer } = await startBoth(stage)
  const change = await startApi(stage)
  const agent = new Agent({ keepAlive: true })
  let sent = 0
  const send = async (deviceId: string, keyId: string): Promise<number> => {
    const signed = make(stage, { deviceId, keyId, body: bodyOf(deviceId, TIMESTAMP_MS + sent++, 20) })
    stage.record(signed.entry)
    return (await sendRecorded(producer.httpPort, agent, signed)).status
  }
  const answers = (deviceId: string, keyId: string, status: number) =>
    within(FOLLOWS_WITHIN_MS, async () => ((await send(deviceId, keyId)) === status ? true : undefined))
  const expectRefused = async (deviceId: string): Promise<void> =>
    stage.expect(
      (await answers(deviceId, 'k1', 401)) === true,
      `expected the revoked key of ${deviceId} to be refused in ${FOLLOWS_WITHIN_MS / 1000} s`,
    )

  const load = stage.load({ messages: 6000, ratePerSecond: 50 })
  let [signsWith, ended] = ['k1', false]
  const device = async (): Promise<void> => {
    for (; !ended; await delay(PAUSE_MS)) {
      const keyId = signsWith
      const status = await send(ROTATED, keyId)
      stage.expect(status === 202, `the device signed with ${keyId}, which is live: expected 202, got ${status}`)
    }
  }
  const sending = device()

  const first = await send(REVOKED, 'k1')
  stage.expect(first === 202, `a key before it is revoked: expected 202, got ${first}`)
  const { keyId: next = '' } = await change(`${ROTATED}/keys`)
  await change(`${REVOKED}/keys/k1/revoke`)
  // The device tries its new key, and stays with the former, which is retiring, until the new one is taken.
  const [taken] = await Promise.all([answers(ROTATED, next, 202), expectRefused(REVOKED)])
  stage.expect(taken === true, `expected the new key ${next} to be taken in ${FOLLOWS_WITHIN_MS / 1000} s`)
  if (taken) {
    signsWith = next
    // What the device signed with its former key may be under way still; the next is sent once that is answered.
    const before = sent
    await within(FOLLOWS_WITHIN_MS, async () => (sent > before ? true : undefined))
    await change(`${ROTATED}/keys/k1/revoke`)
    await expectRefused(ROTATED)
  }
  ended = true
  await sending
  load.stop()
  await load.done
  stage.expect([...load.answers.keys()].join() === '202', `expected only 202, got ${[...load.answers.keys()]}`)
  agent.destroy()
}

export const DEVICES: Fault[] = [
  {
    name: 'device-keys',
    what: "under load a device's key is rotated by the API, its former key revoked, and another device's only key too",
    expected: 'a key that is live is never refused, one that is revoked is refused in 30 s',
    control: { sabotage: 'registry-read-once', of: 'producer', breaks: /expected the revoked key of .* to be refused/ },
    run: deviceKeys,
  },
]
