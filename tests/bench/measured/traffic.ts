import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'amqplib'
import { address, secret } from '../../e2e/cluster.ts'
import { recording } from '../../e2e/device.ts'
import { signedMessage } from '../../stand/signed-message.ts'

/** Messages a second at a second of a run. */
export type Profile = { seconds: number; rate: (second: number) => number; burst?: number }

export type Traffic = {
  /** Sends what a profile says, in steps of a tenth of a second. @returns how many messages that were */
  follow: (profile: Profile) => Promise<number>
  close: () => Promise<void>
}

const EXCHANGE = 'bench-scaling'
const STEP_MS = 100

/** Publishes each message once, to a fanout exchange, so that every queue gets it at the same instant. */
export const openTraffic = async (queues: readonly string[], messageKey: Buffer): Promise<Traffic> => {
  const [hostname, password] = [await address('xray-rabbitmq'), await secret('xray-rabbitmq', 'password')]
  const model = await connect({ hostname, username: 'xray', password })
  const channel = await model.createConfirmChannel()
  await channel.assertExchange(EXCHANGE, 'fanout', { durable: false })
  for (const queue of queues) await channel.bindQueue(queue, EXCHANGE, '')
  let next = 0
  const send = (count: number): void => {
    for (let left = count; left > 0; left--) {
      const deviceTimestampMs = 1735683480000 + next++
      const change = { deviceTimestampMs }
      const { properties, body } = signedMessage(messageKey, recording({ timestamp: deviceTimestampMs }), change)
      channel.publish(EXCHANGE, '', Buffer.from(body), properties)
    }
  }
  return {
    follow: async ({ seconds, rate, burst = 0 }) => {
      const startedAt = performance.now()
      let [sent, due] = [burst, 0]
      send(burst)
      for (let step = 0; step < seconds * (1000 / STEP_MS); step++) {
        due += rate((step * STEP_MS) / 1000) * (STEP_MS / 1000)
        const now = Math.floor(due)
        due -= now
        sent += now
        send(now)
        await delay(Math.max(0, startedAt + (step + 1) * STEP_MS - performance.now()))
      }
      await channel.waitForConfirms()
      return sent
    },
    close: async () => {
      await channel.deleteExchange(EXCHANGE)
      await model.close()
    },
  }
}
