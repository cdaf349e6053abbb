import { DRAIN_ANNOTATION, DRAIN_FILE, DRAIN_FOLDER } from '#contract/drain.ts'
import type { PodTemplate, Resources } from '#contract/pipeline.ts'
import type { KubeObject } from '#kit/client.ts'
import { METRICS_PORT, SECRETS, secretOf } from './environment.ts'
import { type Component, labelsOf, type Pipeline, selectorOf } from './pipeline.ts'
import { CONNECTIONS, KEYS, type SecretVersions } from './secret-versions.ts'

export type Release = { image: string; imagePullPolicy: string }

const KEYS_DIR = '/var/run/secrets/xray/keys'
/** Measured at the first benchmark's load; a limit on CPU would only throttle a burst. */
const RESOURCES: Record<Component, Resources> = {
  producer: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
  signals: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '384Mi' } },
  api: { requests: { cpu: '25m', memory: '96Mi' }, limits: { memory: '256Mi' } },
}
/** SIGTERM to the end of the longest batch, with its retries published. */
const GRACE_SECONDS = 60

const templateOf = ({ spec }: Pipeline, component: Component): PodTemplate => {
  const [all, own] = [spec.podTemplate ?? {}, spec[component].podTemplate ?? {}]
  return {
    ...all,
    ...own,
    labels: { ...all.labels, ...own.labels },
    annotations: { ...all.annotations, ...own.annotations },
    env: [...(all.env ?? []).filter(({ name }) => !own.env?.some((other) => other.name === name)), ...(own.env ?? [])],
  }
}

/**
 * The defaults with what the spec names instead. A request without its limit is its limit, too, where there is one by
 * default, and a limit without its request leaves the request to Kubernetes, which takes the limit: the pair of a given
 * and a default one could contradict each other.
 */
const resourcesOf = (component: Component, { requests = {}, limits = {} }: Resources): Resources => {
  const defaults = { requests: {}, limits: {}, ...RESOURCES[component] }
  const without = (all: object, given: object) => Object.entries(all).filter(([name]) => !(name in given))
  const asText = (all: object) => Object.fromEntries(Object.entries(all).map(([name, value]) => [name, String(value)]))
  const bounded = Object.entries(requests).filter(([name]) => name in defaults.limits)
  return {
    requests: asText({ ...Object.fromEntries(without(defaults.requests, limits)), ...requests }),
    limits: asText({ ...defaults.limits, ...Object.fromEntries(bounded), ...limits }),
  }
}

/** The pod's own annotation as a file, by which it hears that it is to go; a pod that has no such volume hears nothing. */
export const DRAIN_VOLUME = 'drain'
const drainVolume = {
  name: DRAIN_VOLUME,
  downwardAPI: {
    items: [
      { path: DRAIN_FILE, fieldRef: { apiVersion: 'v1', fieldPath: `metadata.annotations['${DRAIN_ANNOTATION}']` } },
    ],
  },
}

const probe = (path: string, more: object) => ({ httpGet: { path, port: 'metrics' }, ...more })

const environment = (pipeline: Pipeline, component: Component, image: string, more: PodTemplate['env'] = []) => {
  const uris = SECRETS[component].uris.map((name) => ({
    name,
    valueFrom: { secretKeyRef: { name: secretOf(pipeline.spec, name), key: 'uri' } },
  }))
  const ours = [
    { name: 'SERVICE_VERSION', value: image.split(':').at(-1) ?? image },
    { name: 'KEYS_DIR', value: KEYS_DIR },
    ...uris,
  ]
  return [...ours, ...more.filter(({ name }) => !ours.some((own) => own.name === name))]
}

/**
 * A component's Deployment: only the fields that are ours. Server-side apply leaves what others own.
 * @param replicas undefined leaves the number to whoever set it
 */
export const deployment = (
  pipeline: Pipeline,
  component: Component,
  configMapName: string,
  replicas: number | undefined,
  release: Release,
  secrets: SecretVersions,
): KubeObject => {
  const { name, namespace = '' } = pipeline.metadata
  const template = templateOf(pipeline, component)
  const image = pipeline.spec.image || release.image
  const selector = selectorOf(name, component)
  const keys = secrets.keys[component]
  const ports = component === 'signals' ? [] : [{ name: 'http', containerPort: 8080, protocol: 'TCP' }]
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${name}-${component}`, namespace, labels: labelsOf(name, component) },
    spec: {
      ...(replicas !== undefined && { replicas }),
      selector: { matchLabels: selector },
      // The new pod first: the old one serves until it is ready, so a bad image never takes a service down.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      progressDeadlineSeconds: 120,
      revisionHistoryLimit: 3,
      template: {
        metadata: {
          labels: { ...template.labels, ...labelsOf(name, component) },
          annotations: { ...template.annotations, [CONNECTIONS]: secrets.connections, [KEYS]: keys.version },
        },
        spec: {
          serviceAccountName: `${name}-${component}`,
          automountServiceAccountToken: false,
          // Variables of every Service in the namespace, which nobody reads.
          enableServiceLinks: false,
          terminationGracePeriodSeconds: GRACE_SECONDS,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 65532,
            runAsGroup: 65532,
            fsGroup: 65532,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: component,
              image,
              imagePullPolicy: release.imagePullPolicy,
              // The last lines of a process that failed are then in the pod's status, whoever may read no logs.
              terminationMessagePolicy: 'FallbackToLogsOnError',
              command: ['node', `services/${component}/main.ts`],
              envFrom: [{ configMapRef: { name: configMapName } }],
              env: environment(pipeline, component, image, template.env),
              ports: [...ports, { name: 'metrics', containerPort: METRICS_PORT, protocol: 'TCP' }],
              startupProbe: probe('/livez', { periodSeconds: 1, failureThreshold: 60 }),
              livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 3 }),
              readinessProbe: probe('/readyz', { periodSeconds: 2, failureThreshold: 2 }),
              resources: resourcesOf(component, pipeline.spec[component].resources),
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [
                { name: 'keys', mountPath: KEYS_DIR, readOnly: true },
                { name: 'tmp', mountPath: '/tmp' },
                ...(component === 'signals' ? [{ name: DRAIN_VOLUME, mountPath: DRAIN_FOLDER, readOnly: true }] : []),
              ],
            },
          ],
          volumes: [
            {
              name: 'keys',
              secret: {
                secretName: keys.secret,
                items: SECRETS[component].keys.map((key) => ({ key, path: key })),
                // The kubelet then leaves out the keys that the Secret does not have (yet); a process without any ends.
                optional: true,
              },
            },
            { name: 'tmp', emptyDir: {} },
            ...(component === 'signals' ? [drainVolume] : []),
          ],
          topologySpreadConstraints: template.topologySpreadConstraints ?? [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selector },
            },
          ],
          ...(template.nodeSelector !== undefined && { nodeSelector: template.nodeSelector }),
          ...(template.tolerations !== undefined && { tolerations: template.tolerations }),
          ...(template.affinity !== undefined && { affinity: template.affinity }),
          ...(template.priorityClassName !== undefined && { priorityClassName: template.priorityClassName }),
          ...(template.imagePullSecrets !== undefined && { imagePullSecrets: template.imagePullSecrets }),
        },
      },
    },
  }
}
