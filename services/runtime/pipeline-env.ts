import { type TopologySpec, topologyNames } from '#contract/topology.ts'
import { integer, integers, type Rule, text, url } from './env.ts'

/** What every process of a pipeline is given. */
export const processRules = {
  PIPELINE_NAME: text(),
  PIPELINE_NAMESPACE: text(),
  LOG_LEVEL: text('info'),
  METRICS_PORT: integer(1, 65_535, 9464),
  KEYS_DIR: text('/var/run/secrets/xray/keys'),
  SERVICE_VERSION: text('dev'),
}

/** The broker and the pipeline's topology on it. */
export const brokerRules = {
  AMQP_URI: url('amqp', 'amqps'),
  AMQP_VHOST: text('/'),
  AMQP_EXCHANGE: text('iot.xray'),
  AMQP_QUEUE: text('xray.raw.q'),
  AMQP_DEAD_LETTER_EXCHANGE: text('iot.dlx'),
  MAX_RETRIES: integer(0, 100, 3),
  RETRY_DELAYS_MS: integers('1000,2000,4000,8000'),
  RETRY_JITTER_MS: integer(0, 60_000, 1000),
}

/** The store of signals and raw bytes. */
export const storeRules = { MONGODB_URI: url('mongodb', 'mongodb+srv'), MONGODB_DATABASE: text('xray') }

export const cacheRules = { REDIS_URI: url('redis', 'rediss') }

export const httpRules = { HTTP_PORT: integer(1, 65_535, 8080) }

/** What rules read, by the variables' names. */
export type Read<Rules> = { [K in keyof Rules]: Rules[K] extends Rule<infer T> ? T : never }
export type BrokerConfig = Read<typeof brokerRules>

/** The names of the topology that the environment describes. */
export const namesOf = (
  config: Pick<BrokerConfig, 'AMQP_EXCHANGE' | 'AMQP_QUEUE' | 'AMQP_DEAD_LETTER_EXCHANGE' | 'RETRY_DELAYS_MS'>,
) => {
  const spec: Pick<TopologySpec, 'exchange' | 'queue' | 'deadLetterExchange' | 'delaysMs'> = {
    exchange: config.AMQP_EXCHANGE,
    queue: config.AMQP_QUEUE,
    deadLetterExchange: config.AMQP_DEAD_LETTER_EXCHANGE,
    delaysMs: config.RETRY_DELAYS_MS,
  }
  return topologyNames(spec)
}
