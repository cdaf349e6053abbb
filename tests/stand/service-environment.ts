import type { PipelineSpec } from '#contract/pipeline.ts'
import { settingsOf } from '../../operator/decide/environment.ts'
import type { Component } from '../../operator/decide/pipeline.ts'
import type { KeysFolder } from './keys-folder.ts'

/** What the operator gives a component of a pipeline, but for the ports: settings, connections and keys. */
export const environmentOf = (
  name: string,
  spec: PipelineSpec,
  component: Component,
  uris: { amqp: string; store: string; redis: string },
  keys: KeysFolder,
): Record<string, string> => ({
  ...settingsOf({ metadata: { name, namespace: 'xray' }, spec } as Parameters<typeof settingsOf>[0], component),
  AMQP_URI: uris.amqp,
  MONGODB_URI: uris.store,
  REDIS_URI: uris.redis,
  KEYS_DIR: keys.of(component),
})
