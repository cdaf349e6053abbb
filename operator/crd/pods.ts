import { integer, list, map, object, passedOn, rule, type Schema, text } from './schema.ts'

const QUANTITY = '^([0-9]+|[0-9]*[.][0-9]+)([eE][0-9]+|[numkMGTPE]|[KMGTPE]i)?$'

/** One quantity, such as `100m`; a bare number is one, too. */
const quantities = (description: string): Schema =>
  map(description, {
    additionalProperties: { 'x-kubernetes-int-or-string': true, pattern: QUANTITY, maxLength: 32 },
    maxProperties: 16,
  })

export const resources: Schema = object(
  "What the container asks for and may use, as in a pod. What is left out is the operator's default for the service.",
  {
    requests: quantities(
      'What is reserved, such as cpu: 100m. A request that is left out is the limit, where one is set.',
    ),
    limits: quantities(
      'The most, such as memory: 256Mi. A limit on memory that is left out is the request, where one is set.',
    ),
  },
  {
    'x-kubernetes-validations': [
      rule(
        '!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)',
        'a request must not be above its limit: lower the request or raise the limit',
      ),
    ],
  },
)

const LABELS = [
  'app.kubernetes.io/name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
  'app.kubernetes.io/part-of',
  'app.kubernetes.io/managed-by',
]
const VARIABLES = ['SERVICE_VERSION', 'KEYS_DIR', 'AMQP_URI', 'MONGODB_URI', 'REDIS_URI']
const LABEL_VALUE = '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$'
const celList = (values: string[]): string => `[${values.map((value) => `"${value}"`).join(', ')}]`

const toleration: Schema = object('A taint that is tolerated.', {
  key: text("The taint's key; left out with operator Exists, it is any."),
  operator: text('Exists: whatever its value. Equal, the default: this value.', { enum: ['Exists', 'Equal'] }),
  value: text('Its value.', { maxLength: 63 }),
  effect: text('Its effect; left out, it is any.', { enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] }),
  tolerationSeconds: integer(
    'Seconds that a pod stays on a node with effect NoExecute; left out, for good.',
    0,
    2 ** 31,
  ),
})

const spread: Schema = object(
  'A rule of how pods are spread, as in a pod.',
  {
    maxSkew: integer('The most pods that one domain may have more than another.', 1, 1000),
    topologyKey: text("The node's label that tells domains apart, such as topology.kubernetes.io/zone.", {
      minLength: 1,
    }),
    whenUnsatisfiable: text('What becomes of a pod that cannot be placed so.', {
      enum: ['DoNotSchedule', 'ScheduleAnyway'],
    }),
    labelSelector: passedOn('The pods that are counted.'),
    minDomains: integer('Domains that there must be.', 1, 1000),
    nodeAffinityPolicy: text("Whether nodes that the pod's affinity excludes count.", { enum: ['Honor', 'Ignore'] }),
    nodeTaintsPolicy: text('Whether nodes with taints that are not tolerated count.', { enum: ['Honor', 'Ignore'] }),
    matchLabelKeys: list('Labels whose values are taken from the pod itself.', { type: 'string' }),
  },
  { required: ['maxSkew', 'topologyKey', 'whenUnsatisfiable'] },
)

/** What may be added to pods. */
export const podTemplate = (whose: string): Schema =>
  object(`What is added to ${whose}.`, {
    labels: map('Further labels.', {
      additionalProperties: { type: 'string', maxLength: 63, pattern: LABEL_VALUE },
      'x-kubernetes-validations': [
        rule(
          `self.all(name, !(name in ${celList(LABELS)}))`,
          `${LABELS.join(', ')} are the operator's: leave them out`,
        ),
      ],
    }),
    annotations: map('Further annotations.', { additionalProperties: { type: 'string' } }),
    nodeSelector: map('Labels that a node must have.'),
    tolerations: list('Taints that are tolerated.', toleration, { maxItems: 32 }),
    affinity: passedOn('Affinities, as in a pod.'),
    topologySpreadConstraints: list(
      'How pods are spread, in place of our own rule: evenly over nodes, where that is possible.',
      spread,
      { maxItems: 16 },
    ),
    priorityClassName: text('The priority class.', { minLength: 1 }),
    imagePullSecrets: list(
      "Secrets for the image's registry.",
      object('A Secret.', { name: text('Its name.', { minLength: 1 }) }, { required: ['name'] }),
      { maxItems: 16, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
    ),
    env: list(
      'Further environment variables, such as OTEL_EXPORTER_OTLP_ENDPOINT or LOG_LEVEL.',
      object(
        'A variable.',
        { name: text('Its name.', { minLength: 1 }), value: { type: 'string', description: 'Its value.' } },
        { required: ['name', 'value'] },
      ),
      {
        maxItems: 64,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        'x-kubernetes-validations': [
          rule(
            `self.all(variable, !(variable.name in ${celList(VARIABLES)}))`,
            `${VARIABLES.join(', ')} are the operator's: change the Secrets that they come from`,
          ),
        ],
      },
    ),
  })
