import { DRAIN_FILE, DRAIN_FOLDER } from '#contract/drain.ts'
import { integer, readEnv, text } from '#runtime/env.ts'
import { brokerRules, cacheRules, processRules, type Read, storeRules } from '#runtime/pipeline-env.ts'

const rules = {
  ...processRules,
  ...brokerRules,
  ...storeRules,
  ...cacheRules,
  PREFETCH: integer(1, 2000, 400),
  BATCH_SIZE: integer(1, 1000, 200),
  BATCH_LINGER_MS: integer(0, 1000, 50),
  RETENTION_DAYS: integer(1, 36_500, 30),
  DRAIN_FILE: text(`${DRAIN_FOLDER}/${DRAIN_FILE}`),
}

export type Config = Read<typeof rules>

export const readConfig = (env: Record<string, string | undefined>): Config => readEnv<Config>(env, rules)
