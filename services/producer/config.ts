import { integer, readEnv, url } from '#runtime/env.ts'
import { type BrokerConfig, brokerRules, type ProcessConfig, processRules } from '#runtime/pipeline-env.ts'

export type Config = ProcessConfig &
  BrokerConfig & { HTTP_PORT: number; REDIS_URI: string; RATE_LIMIT_PER_DEVICE_PER_MINUTE: number }

export const readConfig = (env: Record<string, string | undefined>): Config =>
  readEnv<Config>(env, {
    ...processRules,
    ...brokerRules,
    HTTP_PORT: integer(1, 65_535, 8080),
    REDIS_URI: url('redis', 'rediss'),
    RATE_LIMIT_PER_DEVICE_PER_MINUTE: integer(1, 1_000_000, 600),
  })
