import { GROUP, KIND, PLURAL, VERSION } from '#contract/pipeline.ts'
import { scalingStatusSchema } from './scaling-status.ts'
import { integer, list, object, rule, type Schema, text } from './schema.ts'
import { specSchema } from './spec.ts'

/** `-producer` and a pod's hash must fit behind it into the 63 characters of a label. */
const LONGEST_NAME = 40

const count = (description: string): Schema => ({ type: 'integer', description })

const component = (name: string): Schema =>
  object(`The ${name} pods.`, {
    desired: count('How many shall run.'),
    ready: count('How many of them are ready, with the settings of now.'),
    image: text('Their image.', { maxLength: 512 }),
  })

const condition: Schema = object(
  'One aspect of the state.',
  {
    type: text('The aspect.'),
    status: text('Whether it holds.', { enum: ['True', 'False', 'Unknown'] }),
    reason: text('One word that says why.'),
    message: text('A sentence that says why.', { maxLength: 32_768 }),
    lastTransitionTime: { type: 'string', format: 'date-time', description: 'When the status last changed.' },
    observedGeneration: integer('The generation of the spec that it speaks of.', 0, Number.MAX_SAFE_INTEGER),
  },
  { required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'] },
)

const status: Schema = object('What the pipeline is.', {
  observedGeneration: count('The generation of the spec that was acted on last.'),
  conditions: list('The state by aspects; Ready first.', condition, {
    maxItems: 32,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  }),
  reason: text('The reason of Ready.'),
  components: object('The services.', {
    producer: component('producer'),
    signals: component('signals'),
    api: component('api'),
  }),
  signals: text('Ready and desired signals pods, such as 3/3.'),
  replicas: count('The signals pods that run.'),
  selector: text('The labels of the signals pods.', { maxLength: 1024 }),
  backlog: count(
    'Messages in the queue, unacknowledged ones included; written once in 30 s at most while nothing else changes.',
  ),
  deadLetters: count('Dead letters: in their queues, and archived and open.'),
  scaling: scalingStatusSchema,
})

/** The CustomResourceDefinition, the one source of the file in the chart. */
export const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${PLURAL}.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Namespaced',
    names: {
      kind: KIND,
      listKind: `${KIND}List`,
      plural: PLURAL,
      singular: 'xraypipeline',
      shortNames: ['xrp'],
      categories: ['xray'],
    },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description:
              'A pipeline that takes signed recordings from devices, queues them and stores each exactly once.',
            properties: {
              spec: specSchema,
              // -1: helm --wait and kstatus must not take an object for done that nobody has looked at yet.
              status: { ...status, default: { observedGeneration: -1 } },
            },
            'x-kubernetes-validations': [
              // A pipeline whose queue is another's has declared nothing yet, and is told to name another.
              rule(
                'self.spec.broker.vhost == oldSelf.spec.broker.vhost && self.spec.broker.exchange == oldSelf.spec.broker.exchange && self.spec.broker.queue == oldSelf.spec.broker.queue && self.spec.broker.deadLetterExchange == oldSelf.spec.broker.deadLetterExchange || has(oldSelf.status) && has(oldSelf.status.reason) && oldSelf.status.reason == "QueueTaken"',
                'vhost, exchange, queue and deadLetterExchange cannot be changed: what is in the queue would be left behind; apply a second pipeline with other names, and delete this one once its backlog is 0',
              ),
              rule(
                `size(self.metadata.name) <= ${LONGEST_NAME}`,
                `the name must have at most ${LONGEST_NAME} characters: the names of its Deployments are made from it`,
              ),
            ],
          },
        },
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.signals.replicas',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.status.selector',
          },
        },
        additionalPrinterColumns: [
          {
            name: 'Ready',
            type: 'string',
            jsonPath: '.status.conditions[?(@.type=="Ready")].status',
            description: 'Whether all of it is ready',
          },
          { name: 'Signals', type: 'string', jsonPath: '.status.signals', description: 'Ready and desired pods' },
          {
            name: 'Backlog',
            type: 'integer',
            jsonPath: '.status.backlog',
            description: 'Messages in the queue, unacknowledged ones included',
          },
          { name: 'DLQ', type: 'integer', jsonPath: '.status.deadLetters', description: 'Open dead letters' },
          { name: 'Reason', type: 'string', jsonPath: '.status.reason', priority: 1, description: 'Why, in one word' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it is there' },
        ],
      },
    ],
  },
}
