import { readEnv } from '#runtime/env.ts'
import { brokerRules, cacheRules, httpRules, processRules, type Read, storeRules } from '#runtime/pipeline-env.ts'

/** The broker and, for replays, the names on it. */
const { AMQP_URI, AMQP_VHOST, AMQP_EXCHANGE, AMQP_QUEUE, AMQP_DEAD_LETTER_EXCHANGE, RETRY_DELAYS_MS } = brokerRules
const rules = {
  ...processRules,
  ...storeRules,
  ...cacheRules,
  ...httpRules,
  AMQP_URI,
  AMQP_VHOST,
  AMQP_EXCHANGE,
  AMQP_QUEUE,
  AMQP_DEAD_LETTER_EXCHANGE,
  RETRY_DELAYS_MS,
}

export type Config = Read<typeof rules>

export const readConfig = (env: Record<string, string | undefined>): Config => readEnv<Config>(env, rules)
