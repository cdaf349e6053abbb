import { createHash, randomBytes } from 'node:crypto'
import { keysSecretName, type PipelineSpec } from '#contract/pipeline.ts'
import { type Client, isConflict, isForbidden, isNotFound, type KubeObject, METADATA_ONLY } from '#kit/client.ts'
import { collectionPath, objectPath, type Resource } from '#kit/resource.ts'
import { labelsOf, type Pipeline } from '../decide/pipeline.ts'
import type { BrokerAccess } from './broker.ts'
import { createKept } from './kept.ts'

const SECRETS: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }

/** A connection Secret is missing, or a key of it; the message says which. */
export class SecretProblem extends Error {
  override name = 'SecretProblem'
}

/**
 * Tells one set of connections from another. It stands on pods, where more people may read it than the Secrets: 40 bits
 * under the pipeline's uid say nothing of a password that was made at random.
 */
const fingerprint = (uid: string, uris: string[]): string =>
  createHash('sha256')
    .update([uid, ...uris].join('\n'))
    .digest('hex')
    .slice(0, 10)

export type Secrets = {
  /** @throws SecretProblem when a connection Secret is missing or incomplete */
  broker: (namespace: string, spec: PipelineSpec) => Promise<BrokerAccess>
  /**
   * All that a Secret holds, which must have the given keys; as old as what is kept may be.
   * @throws SecretProblem when it is missing or incomplete
   */
  fields: (namespace: string, name: string, keys: string[]) => Promise<Record<string, string>>
  /**
   * Makes a pipeline's keys unless its Secret is there; of that only the metadata is read, never what is in it.
   * @param mounted the version of the Secret that pods were started with: then it was there, and is not asked for now.
   *   It is not made anew either when it has been lost: devices hold keys that are derived from what was in it
   */
  ensureKeys: (pipeline: Pipeline, mounted: string | undefined) => Promise<void>
  /**
   * Deletes a pipeline's keys if we made them for it; a Secret that somebody else made stays, and so does one that the
   * operator may not delete: a pipeline must not stay for ever because of it.
   */
  removeKeys: (pipeline: Pipeline) => Promise<void>
  /**
   * What pods must be started anew for when it changes: a fingerprint of the URIs, and the version of the keys Secret,
   * undefined when there is none. As old as what is kept may be. @throws SecretProblem as `broker` does
   */
  versions: (pipeline: Pipeline) => Promise<{ connections: string; keys: string | undefined }>
  /** A pipeline is gone, and what is known of its keys with it. */
  forget: (uid: string) => void
}

const isSecretProblem = (error: unknown): boolean => error instanceof SecretProblem

/** Reads Secrets by name, which is all that it may, and keeps them; creates keys. */
export const createSecrets = (client: Client): Secrets => {
  const connections = createKept<Record<string, string>>(isSecretProblem, Date.now)
  const versions = createKept<string | undefined>(isSecretProblem, Date.now)
  /** Pipelines that have their keys, by uid and the Secret's name. */
  const have = new Set<string>()

  const readConnection = async (namespace: string, name: string, keys: string[]): Promise<Record<string, string>> => {
    const secret = await client
      .request<{ data?: Record<string, string> }>({ method: 'GET', path: objectPath(SECRETS, namespace, name) })
      .catch((error) => {
        if (isNotFound(error))
          throw new SecretProblem(
            `the Secret ${namespace}/${name} is not there: install the chart that makes it, or create it with the keys ${keys.join(', ')}`,
          )
        if (isForbidden(error))
          throw new SecretProblem(`the Secret ${namespace}/${name} may not be read by the operator`)
        throw error
      })
    return Object.fromEntries(
      Object.entries(secret.data ?? {}).map(([field, value]) => [field, Buffer.from(value, 'base64').toString()]),
    )
  }

  const read = async (namespace: string, name: string, keys: string[]): Promise<Record<string, string>> => {
    const key = `${namespace}/${name}`
    const data = await connections.get(key, () => readConnection(namespace, name, keys))
    const missing = keys.find((field) => !data[field])
    if (missing === undefined) return data
    // Whoever mends it waits for it.
    connections.forget(key)
    throw new SecretProblem(`the Secret ${key} has no key "${missing}"`)
  }

  const withoutContent = (path: string): Promise<KubeObject | undefined> =>
    client.request<KubeObject>({ method: 'GET', path, accept: METADATA_ONLY }).catch((error) => {
      if (isNotFound(error) || isForbidden(error)) return undefined
      throw error
    })

  const versionIn = ({ metadata }: KubeObject): string => `${metadata.uid}.${metadata.resourceVersion}`
  const versionOf = (namespace: string, name: string): Promise<string | undefined> =>
    versions.get(`${namespace}/${name}`, async () => {
      const found = await withoutContent(objectPath(SECRETS, namespace, name))
      return found && versionIn(found)
    })

  return {
    fields: read,
    versions: async ({ metadata, spec }) => {
      const { name, namespace = '', uid = '' } = metadata
      const uris = [spec.broker, spec.store, spec.cache].map(({ secretRef }) =>
        read(namespace, secretRef.name, ['uri']),
      )
      return {
        connections: fingerprint(
          uid,
          (await Promise.all(uris)).map(({ uri = '' }) => uri),
        ),
        keys: await versionOf(namespace, keysSecretName(name, spec)),
      }
    },
    broker: async (namespace, spec) => {
      const broker = await read(namespace, spec.broker.secretRef.name, ['uri', 'username', 'password', 'host'])
      await read(namespace, spec.store.secretRef.name, ['uri'])
      await read(namespace, spec.cache.secretRef.name, ['uri'])
      return {
        managementUri: broker['management-uri'] ?? `http://${broker.host}:15672`,
        username: broker.username ?? '',
        password: broker.password ?? '',
        vhost: spec.broker.vhost,
      }
    },
    ensureKeys: async (pipeline, mounted) => {
      const { name, namespace = '', uid = '' } = pipeline.metadata
      const secret = keysSecretName(name, pipeline.spec)
      const [owned, key] = [`${uid}/${secret}`, `${namespace}/${secret}`]
      if (have.has(owned)) return
      if (mounted !== undefined) {
        versions.presume(key, mounted)
        return void have.add(owned)
      }
      // What is kept may be of a Secret that went with a former pipeline of this name.
      versions.forget(key)
      if ((await versionOf(namespace, secret)) !== undefined) return void have.add(owned)
      const body = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: secret,
          namespace,
          // No owner: the policy may be another by the time that the pipeline is deleted, and devices hold keys that are
          // derived from these.
          labels: labelsOf(name, 'producer'),
        },
        stringData: {
          'device-master-k1': randomBytes(32).toString('hex'),
          'message-p1': randomBytes(32).toString('hex'),
          'api-admin-token': `xrk_admin_${randomBytes(32).toString('base64url')}`,
        },
      }
      const made = await client
        .request<KubeObject>({ method: 'POST', path: collectionPath(SECRETS, namespace), body })
        .catch((error) => {
          if (!isConflict(error)) throw error
        })
      if (made === undefined) versions.forget(key)
      else versions.set(key, versionIn(made))
      have.add(owned)
    },
    removeKeys: async ({ metadata, spec }) => {
      const { name, namespace = '' } = metadata
      const path = objectPath(SECRETS, namespace, keysSecretName(name, spec))
      const found = await withoutContent(path)
      const ours = Object.entries(labelsOf(name, 'producer'))
      if (found === undefined || !ours.every(([label, value]) => found.metadata.labels?.[label] === value)) return
      const body = { preconditions: { uid: found.metadata.uid } }
      await client.request({ method: 'DELETE', path, body }).catch((error) => {
        if (!isNotFound(error) && !isForbidden(error)) throw error
      })
    },
    forget: (uid) => {
      for (const owned of have) if (owned.startsWith(`${uid}/`)) have.delete(owned)
    },
  }
}
