import { DEFAULTS } from '#contract/pipeline.ts'
import { MOST_DELAYS } from '#contract/topology.ts'
import { podTemplate, resources } from './pods.ts'
import { scalingSchema } from './scaling.ts'
import { flag, integer, list, object, rule, type Schema, text, withDefaults } from './schema.ts'

const NAME = '^[A-Za-z0-9._-]+$'
/** What an object may be called: a DNS subdomain (RFC 1123). */
const OBJECT_NAME = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
const QUANTITY = '^[0-9]+(Ki|Mi|Gi|Ti)?$'

/** A Secret, in the words of the Service Binding specification where it is a connection. */
const secretRef = (what: string, keys: string): Schema =>
  object(
    `The Secret with ${what}, in the pipeline's namespace. When it changes, the pods are started anew.`,
    { name: text(`Its name. It has ${keys}.`, { minLength: 1, pattern: OBJECT_NAME }) },
    { required: ['name'] },
  )
const connection = (keys: string): Schema => secretRef('the connection', keys)

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

const replicas = integer('How many pods run.', 0, 100)

const bare: Schema = object(
  'What the pipeline shall be.',
  {
    paused: flag(
      'True: the operator changes nothing of it, its scale included; it can still be deleted. What runs goes on.',
    ),
    deletionPolicy: text(
      'What becomes of the queues, the exchanges and the keys that were made, when the pipeline is deleted. Stored data is never deleted.',
      { enum: ['Retain', 'Delete'] },
    ),
    broker: object(
      "RabbitMQ, and the pipeline's names on it.",
      {
        secretRef: connection(
          'the keys uri, username, password and host, and management-uri where the management API is not on port 15672 of host; the user needs the tag policymaker or administrator',
        ),
        vhost: text('The virtual host; it must be there.', { minLength: 1 }),
        exchange: text(
          'The topic exchange that the producer publishes to. What no queue takes goes to the queue unrouted beside it.',
          { pattern: NAME },
        ),
        queue: text('The queue that signals consumes. The names of the retry queues follow from it.', {
          pattern: NAME,
          maxLength: 200,
        }),
        deadLetterExchange: text(
          'The exchange, and the queue, of dead letters; replays that fail again go to .parked.',
          {
            pattern: NAME,
            maxLength: 240,
          },
        ),
        maxLengthBytes: text(
          'The most bytes in the queue, such as 512Mi or 4Gi; beyond it devices are told to come later. Changed in place, by a policy.',
          { pattern: QUANTITY, maxLength: 20 },
        ),
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
    store: object(
      'MongoDB or FerretDB.',
      {
        secretRef: connection('the key uri'),
        database: text('The database, with the signals, their raw bytes, the dead letters and the devices.', {
          pattern: '^[A-Za-z0-9_-]+$',
          maxLength: 63,
        }),
        retentionDays: integer('Days that a signal is kept, with its raw bytes.', 1, 36_500),
      },
      {
        'x-kubernetes-validations': [
          rule(
            'self.database == oldSelf.database',
            'database cannot be changed: its devices and signals would not be found; apply a second pipeline, with names and a database of its own',
          ),
        ],
      },
    ),
    cache: object('Redis or Valkey.', { secretRef: connection('the key uri') }),
    keys: object('The keys that devices, messages and the API are authenticated with.', {
      secretRef: secretRef(
        'keys',
        'the keys device-master-k1, message-p1 and api-admin-token. It is made when it is not there, with the name of the pipeline and -keys behind it unless another is given. Another Secret must hold the former message keys, too, until nothing waits that was signed with them',
      ),
    }),
    retry: object('What becomes of a message that could not be processed.', {
      maxRetries: integer('Tries after the first, before it goes to the dead letters.', 0, 100),
      delaysMs: list(
        'The shortest wait before each retry, ms; a queue for each. Later retries wait as long as the last. Messages that wait already keep the wait that they began with.',
        { type: 'integer', minimum: 1, maximum: 86_400_000 },
        { minItems: 1, maxItems: MOST_DELAYS },
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
            '!has(self.replicas) || self.scaling.provider != "Native"',
            'replicas has no effect while scaling.provider is Native: leave it out, or set the provider to None',
          ),
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
    image: text("The image of all three services; empty: the operator's own release.", {
      maxLength: 512,
      pattern: '^[^ ]*$',
    }),
    podTemplate: podTemplate('the pods of all three services'),
    monitoring: object('What is made for the Prometheus operator and for Grafana.', {
      serviceMonitor: flag('A ServiceMonitor for the metrics of all pods, and the Service that it finds them by.'),
      prometheusRule: flag('A PrometheusRule with the alerts and the recorded figures of the service levels.'),
      dashboard: flag('A ConfigMap with a dashboard; Grafana finds it by its label grafana_dashboard.'),
    }),
  },
  {
    'x-kubernetes-validations': [
      rule(
        'self.signals.scaling.triggers.all(one, (!has(one.metadata.queueName) || one.metadata.queueName == self.broker.queue) && (!has(one.metadata.vhostName) || one.metadata.vhostName == self.broker.vhost))',
        "queueName and vhostName of a trigger must be broker.queue and broker.vhost: a rabbitmq trigger watches the pipeline's own queue",
      ),
      rule(
        '!has(self.producer.service.nodePort) || !has(self.api.service.nodePort) || self.producer.service.nodePort != self.api.service.nodePort',
        'producer and api cannot have the same nodePort: give one of them another, or leave it out',
      ),
    ],
  },
)

/** The schema of `spec`, with the contract's defaults in it. */
export const specSchema: Schema = {
  ...withDefaults(bare, DEFAULTS as unknown as Record<string, unknown>),
  default: DEFAULTS,
}
