import { integer, readEnv } from '#runtime/env.ts'
import { brokerRules, cacheRules, httpRules, processRules, type Read, storeRules } from '#runtime/pipeline-env.ts'

const rules = {
  ...processRules,
  ...brokerRules,
  ...storeRules,
  ...cacheRules,
  ...httpRules,
  RATE_LIMIT_PER_DEVICE_PER_MINUTE: integer(1, 1_000_000, 600),
}

export type Config = Read<typeof rules>

export const readConfig = (env: Record<string, string | undefined>): Config => readEnv<Config>(env, rules)
