import { Redis } from 'ioredis'
import type { Logger } from './log.ts'
import type { cacheRules, processRules, Read, storeRules } from './pipeline-env.ts'

type Place = Pick<
  Read<typeof processRules & typeof storeRules>,
  'PIPELINE_NAMESPACE' | 'PIPELINE_NAME' | 'MONGODB_DATABASE'
>

/**
 * What is in front of each key. Pipelines may share a Redis, and a message or a nonce that one of them knows says nothing
 * of the others': without this, a recording that is posted to two of them would be stored by the first alone. The
 * database is part of it, since what is stored in one is not in another that the pipeline had before.
 */
const prefixOf = ({ PIPELINE_NAMESPACE, PIPELINE_NAME, MONGODB_DATABASE }: Place): string =>
  `xray:${PIPELINE_NAMESPACE}/${PIPELINE_NAME}/${MONGODB_DATABASE}:`

/**
 * A Redis client of one pipeline that answers or fails at once: the defaults of ioredis would let a command hang for over
 * a minute while Redis is away, and Redis is only a fast path here.
 */
export const openRedis = (config: Place & Read<typeof cacheRules>, name: string, log: Logger): Redis => {
  const redis = new Redis(config.REDIS_URI, {
    connectionName: name,
    keyPrefix: prefixOf(config),
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 200,
    connectTimeout: 2_000,
    enableAutoPipelining: true, // the commands of one turn of the event loop go out in one write
  })
  let away = false
  redis.on('error', (error) => {
    if (!away) log.warn(`no connection to Redis, going on without: ${error.message}`)
    away = true
  })
  redis.on('ready', () => {
    away = false
    log.info('connected to Redis')
  })
  return redis
}

const SLOT_COUNT = 64
const slot = (number: number): string => `{s${String(number).padStart(2, '0')}}`

/** Keys of one device share a slot of a Redis cluster, so that a batch stays few commands. */
export const slotOf = (deviceId: string): string => slot(Number.parseInt(deviceId.slice(-2), 16) % SLOT_COUNT)

export const SLOTS: readonly string[] = Array.from({ length: SLOT_COUNT }, (_, number) => slot(number))
