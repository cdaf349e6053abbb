import { integer, readEnv, text, url } from '#runtime/env.ts'
import { type ProcessConfig, processRules } from '#runtime/pipeline-env.ts'

export type Config = ProcessConfig & {
  HTTP_PORT: number
  MONGODB_URI: string
  MONGODB_DATABASE: string
  AMQP_URI: string
  AMQP_VHOST: string
  AMQP_QUEUE: string
  REDIS_URI: string
}

export const readConfig = (env: Record<string, string | undefined>): Config =>
  readEnv<Config>(env, {
    ...processRules,
    HTTP_PORT: integer(1, 65_535, 8080),
    MONGODB_URI: url('mongodb', 'mongodb+srv'),
    MONGODB_DATABASE: text('xray'),
    AMQP_URI: url('amqp', 'amqps'),
    AMQP_VHOST: text('/'),
    AMQP_QUEUE: text('xray.raw.q'),
    REDIS_URI: url('redis', 'rediss'),
  })
