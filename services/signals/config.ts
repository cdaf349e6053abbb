import { integer, readEnv, text, url } from '#runtime/env.ts'
import { type BrokerConfig, brokerRules, type ProcessConfig, processRules } from '#runtime/pipeline-env.ts'

export type Config = ProcessConfig &
  BrokerConfig & {
    REDIS_URI: string
    MONGODB_URI: string
    MONGODB_DATABASE: string
    PREFETCH: number
    BATCH_SIZE: number
    BATCH_LINGER_MS: number
    RETENTION_DAYS: number
  }

export const readConfig = (env: Record<string, string | undefined>): Config =>
  readEnv<Config>(env, {
    ...processRules,
    ...brokerRules,
    REDIS_URI: url('redis', 'rediss'),
    MONGODB_URI: url('mongodb', 'mongodb+srv'),
    MONGODB_DATABASE: text('xray'),
    PREFETCH: integer(1, 2000, 200),
    BATCH_SIZE: integer(1, 1000, 200),
    BATCH_LINGER_MS: integer(0, 1000, 5),
    RETENTION_DAYS: integer(1, 36_500, 30),
  })
