import { readEnv } from '#runtime/env.ts'
import { brokerRules, cacheRules, httpRules, processRules, type Read, storeRules } from '#runtime/pipeline-env.ts'

const { AMQP_URI, AMQP_VHOST, AMQP_QUEUE } = brokerRules
const rules = { ...processRules, ...storeRules, ...cacheRules, ...httpRules, AMQP_URI, AMQP_VHOST, AMQP_QUEUE }

export type Config = Read<typeof rules>

export const readConfig = (env: Record<string, string | undefined>): Config => readEnv<Config>(env, rules)
