import { DEFAULTS } from '#contract/pipeline.ts'
import { scalingSchema } from './scaling.ts'
import { flag, integer, list, map, object, passedOn, rule, type Schema, text, withDefaults } from './schema.ts'

const NAME = '^[A-Za-z0-9._-]+$'
const QUANTITY = '^[0-9]+(Ki|Mi|Gi|Ti)?$'

const secretRef = (keys: string): Schema =>
  object(
    "The Secret with the connection, in the pipeline's namespace.",
    { name: text(`Its name. It has the keys ${keys}.`, { minLength: 1 }) },
    { required: ['name'] },
  )

const resources: Schema = object('What the container asks for and may use, as in a pod.', {
  requests: map('What is reserved, such as cpu: 100m.'),
  limits: map('What is the most, such as memory: 256Mi.'),
})

const service: Schema = object(
  'How the service is reached.',
  {
    type: text(
      "ClusterIP: from within the cluster. NodePort: on a port of every node. LoadBalancer: by an address of the cloud's.",
      { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
    ),
    nodePort: integer('The port of every node; chosen by Kubernetes when it is left out.', 1, 65_535),
  },
  {
    'x-kubernetes-validations': [
      rule(
        '!has(self.nodePort) || self.type != "ClusterIP"',
        'nodePort needs type NodePort or LoadBalancer: set the type, or leave nodePort out',
      ),
    ],
  },
)

const podTemplate = (whose: string): Schema =>
  object(`What is added to ${whose}.`, {
    labels: map('Further labels. Ours cannot be changed.'),
    annotations: map('Further annotations.'),
    nodeSelector: map('Labels that a node must have.'),
    tolerations: list('Taints that are tolerated.', passedOn('A toleration.')),
    affinity: passedOn('Affinities, in place of ours.'),
    topologySpreadConstraints: list('How pods are spread, in place of our own rule.', passedOn('A constraint.')),
    priorityClassName: text('The priority class.'),
    imagePullSecrets: list(
      "Secrets for the image's registry.",
      object('A Secret.', { name: text('Its name.') }, { required: ['name'] }),
    ),
    env: list(
      'Further environment variables, such as OTEL_EXPORTER_OTLP_ENDPOINT.',
      object(
        'A variable.',
        { name: text('Its name.'), value: { type: 'string', description: 'Its value.' } },
        { required: ['name', 'value'] },
      ),
    ),
  })

const replicas = integer('How many pods run.', 0, 100)

const bare: Schema = object('What the pipeline shall be.', {
  paused: flag('True: the operator leaves everything as it is.'),
  deletionPolicy: text(
    'What becomes of the queues, the exchanges and the keys that were made, when the pipeline is deleted. Stored data is never deleted.',
    { enum: ['Retain', 'Delete'] },
  ),
  broker: object(
    "RabbitMQ, and the pipeline's names on it.",
    {
      secretRef: secretRef('uri, username, password and management-uri'),
      vhost: text('The virtual host.', { minLength: 1 }),
      exchange: text('The exchange that the producer publishes to.', { pattern: NAME }),
      queue: text('The queue that signals consumes. The names of the retry queues follow from it.', {
        pattern: NAME,
        maxLength: 200,
      }),
      deadLetterExchange: text('The exchange, and the queue, of dead letters.', { pattern: NAME }),
      maxLengthBytes: text('The most bytes in the queue; beyond it devices are told to come later.', {
        pattern: QUANTITY,
      }),
    },
    {
      'x-kubernetes-validations': [
        rule(
          'self.exchange != self.deadLetterExchange',
          'exchange and deadLetterExchange must differ: dead letters would be processed again',
        ),
      ],
    },
  ),
  store: object('MongoDB or FerretDB.', {
    secretRef: secretRef('uri'),
    database: text('The database.', { pattern: '^[A-Za-z0-9_-]+$', maxLength: 63 }),
    retentionDays: integer('Days that a signal is kept.', 1, 36_500),
  }),
  cache: object('Redis or Valkey.', { secretRef: secretRef('uri') }),
  keys: object('The keys that devices, messages and the API are authenticated with.', {
    secretRef: secretRef('device-master-k1, message-p1 and api-admin-token; it is made when it is not there'),
  }),
  retry: object('What becomes of a message that could not be processed.', {
    maxRetries: integer('Tries after the first, before it goes to the dead letters.', 0, 100),
    delaysMs: list(
      'The shortest wait before each retry, ms. Later retries wait as long as the last.',
      { type: 'integer', minimum: 1, maximum: 86_400_000 },
      { minItems: 1, maxItems: 8 },
    ),
    jitterMs: integer('The most that is added to a wait at random, ms.', 0, 60_000),
  }),
  producer: object('The service that devices post to.', {
    replicas,
    resources,
    service,
    rateLimit: object('What one device may do.', {
      perDevicePerMinute: integer('Requests in a minute.', 1, 1_000_000),
    }),
    podTemplate: podTemplate("the producer's pods"),
  }),
  signals: object(
    'The service that stores what the queue holds.',
    {
      replicas: integer('How many pods run when scaling.provider is None; the scale subresource sets it.', 0, 1000),
      prefetch: integer('Messages that a pod takes before it must acknowledge.', 1, 2000),
      batch: object('How messages are stored together.', {
        size: integer('The most messages in a batch.', 1, 1000),
        lingerMs: integer(
          'The longest that a message waits for its batch to fill, ms; it waits only while many come.',
          0,
          1000,
        ),
      }),
      resources,
      scaling: scalingSchema,
      podTemplate: podTemplate('the signals pods'),
    },
    {
      'x-kubernetes-validations': [
        rule(
          'self.batch.size <= self.prefetch',
          'batch.size must not be above prefetch: such a batch could never fill',
        ),
      ],
    },
  ),
  api: object('The service that readers ask.', {
    replicas,
    resources,
    service,
    podTemplate: podTemplate("the API's pods"),
  }),
  image: text("The image of all three services; empty: the operator's own release.", { maxLength: 512 }),
  podTemplate: podTemplate('the pods of all three services'),
})

/** The schema of `spec`, with the contract's defaults in it. */
export const specSchema: Schema = {
  ...withDefaults(bare, DEFAULTS as unknown as Record<string, unknown>),
  default: DEFAULTS,
}
