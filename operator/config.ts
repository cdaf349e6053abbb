import { integer, readEnv, text } from '#runtime/env.ts'

export type Config = {
  WATCH_NAMESPACES: string
  POD_NAME: string
  POD_NAMESPACE: string
  PIPELINE_IMAGE: string
  PIPELINE_IMAGE_PULL_POLICY: string
  LOG_LEVEL: string
  METRICS_PORT: number
  LEASE_NAME: string
  CLUSTER_DOMAIN: string
}

/** An empty list of namespaces means all of them, so it has no other default. */
const anyText = (raw: string | undefined) => ({ value: raw ?? '' })

export const readConfig = (env: Record<string, string | undefined>): Config =>
  readEnv<Config>(env, {
    WATCH_NAMESPACES: anyText,
    POD_NAME: text(),
    POD_NAMESPACE: text(),
    PIPELINE_IMAGE: text(),
    PIPELINE_IMAGE_PULL_POLICY: text('IfNotPresent'),
    LOG_LEVEL: text('info'),
    METRICS_PORT: integer(1, 65_535, 9464),
    LEASE_NAME: text('xray-operator'),
    CLUSTER_DOMAIN: text('cluster.local'),
  })
