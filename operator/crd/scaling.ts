import { flag, integer, list, object, rule, type Schema, text } from './schema.ts'

/** A number of KEDA's, which are all text. */
const NUMBER = '^[0-9]+([.][0-9]+)?$'
const number = (description: string, more: Partial<Schema> = {}): Schema =>
  text(description, { pattern: NUMBER, maxLength: 20, ...more })

const DAY_SECONDS = 86_400

const trigger: Schema = object(
  'A thing that is watched. Of several the one that wants the most pods counts.',
  {
    type: text("rabbitmq: the pipeline's own queue. prometheus: the value of a query.", {
      enum: ['rabbitmq', 'prometheus'],
    }),
    name: text('Its name in status and messages; type and position when it is left out.', { maxLength: 63 }),
    metadata: object("Its settings, all of them text, as in a ScaledObject's.", {
      mode: text(
        'rabbitmq. QueueLength (the default): messages, ready and unacknowledged. MessageRate: messages that arrive in a second.',
        { enum: ['QueueLength', 'MessageRate'] },
      ),
      value: number(
        'rabbitmq. What one pod is for: messages, until its rate has been learnt; with MessageRate messages a second.',
      ),
      activationValue: number('rabbitmq. The queue counts as idle up to this value; 0 when it is left out.'),
      excludeUnacknowledged: text(
        'rabbitmq. true: only ready messages count as backlog. The last pod stays while one is unacknowledged in any case.',
        { enum: ['true', 'false'] },
      ),
      queueName: text("rabbitmq. As pasted out of a ScaledObject; it must be the pipeline's own queue.", {
        maxLength: 255,
      }),
      vhostName: text("rabbitmq. As pasted out of a ScaledObject; it must be the pipeline's own virtual host.", {
        maxLength: 255,
      }),
      serverAddress: text('prometheus. Its address.', { pattern: '^https?://', maxLength: 512 }),
      query: text('prometheus. A query with one value; none, or NaN, is unknown and never taken for 0.', {
        minLength: 1,
        maxLength: 4096,
      }),
      threshold: number('prometheus. The part of the value that one pod is for.'),
      activationThreshold: number('prometheus. The trigger counts as idle up to this value; 0 when it is left out.'),
      authModes: text(
        'prometheus. How authenticationRef is used. bearer: its key bearerToken. basic: its keys username and password. Its key ca counts with either and without.',
        { enum: ['bearer', 'basic'] },
      ),
    }),
    authenticationRef: object(
      "prometheus. The Secret with the credentials, in the pipeline's namespace. A change of it is followed within a minute.",
      {
        kind: text('Secret, and no other: keys of a TriggerAuthentication have the same names in a Secret.', {
          enum: ['Secret'],
          default: 'Secret',
        }),
        name: text(
          "Its name. It has the keys that authModes names, and ca, in PEM, where the server's certificate is not of a public authority.",
          { minLength: 1, maxLength: 253 },
        ),
      },
      { required: ['name'] },
    ),
  },
  {
    required: ['type', 'metadata'],
    'x-kubernetes-validations': [
      rule(
        'self.type != "rabbitmq" || (has(self.metadata.value) && double(self.metadata.value) > 0.0)',
        'a rabbitmq trigger needs metadata.value above 0: how many messages one pod is for',
      ),
      rule(
        'self.type != "rabbitmq" || !(has(self.metadata.serverAddress) || has(self.metadata.query) || has(self.metadata.threshold) || has(self.metadata.activationThreshold))',
        'serverAddress, query, threshold and activationThreshold belong to a trigger of type prometheus: make it one, or leave them out',
      ),
      rule(
        'self.type != "prometheus" || (has(self.metadata.serverAddress) && has(self.metadata.query) && has(self.metadata.threshold) && double(self.metadata.threshold) > 0.0)',
        'a prometheus trigger needs metadata.serverAddress, query and a threshold above 0',
      ),
      rule(
        'self.type != "rabbitmq" || !(has(self.authenticationRef) || has(self.metadata.authModes))',
        'authenticationRef and authModes belong to a trigger of type prometheus: the queue is read with the Secret of the broker',
      ),
      rule(
        '!has(self.metadata.authModes) || has(self.authenticationRef)',
        'metadata.authModes needs authenticationRef.name: the Secret with the credentials',
      ),
      rule(
        'self.type != "prometheus" || !(has(self.metadata.queueName) || has(self.metadata.vhostName) || has(self.metadata.mode) || has(self.metadata.value) || has(self.metadata.activationValue) || has(self.metadata.excludeUnacknowledged))',
        'queueName, vhostName, mode, value, activationValue and excludeUnacknowledged belong to a trigger of type rabbitmq: make it one, or leave them out',
      ),
    ],
  },
)

const policy: Schema = object(
  'A limit on the change in a period.',
  {
    type: text('Pods: a number of pods. Percent: of the pods that there were at the start of the period.', {
      enum: ['Pods', 'Percent'],
    }),
    value: integer('How many.', 1, 10_000),
    periodSeconds: integer('The period.', 1, 1800),
  },
  { required: ['type', 'value', 'periodSeconds'] },
)

const rules = (direction: string, window: string): Schema =>
  object(`How the number ${direction}, as in autoscaling/v2.`, {
    stabilizationWindowSeconds: integer(window, 0, 3600),
    selectPolicy: text(
      'Which policy counts: Max the one that allows the most, Min the least; Disabled: never changes this way.',
      { enum: ['Max', 'Min', 'Disabled'] },
    ),
    policies: list('The most that changes in a period; without any there is no limit.', policy, { maxItems: 10 }),
    tolerance: {
      type: 'number',
      description: 'A change by no more than this part of the present number is left.',
      minimum: 0,
      maximum: 1,
    },
  })

/** The schema of `spec.signals.scaling`, without its defaults: the contract has them. */
export const scalingSchema: Schema = object(
  "How the number of signals pods follows the queue, in KEDA's words.",
  {
    provider: text(
      'Native: the operator decides. KEDA: the operator makes a ScaledObject, and KEDA decides. None: spec.signals.replicas does.',
      { enum: ['Native', 'KEDA', 'None'] },
    ),
    dryRun: flag('True: decisions are made and shown in the status, and nothing is scaled.'),
    idleReplicaCount: integer(
      'The pods while there is nothing to do; below minReplicaCount, which counts when it is left out.',
      0,
      1000,
    ),
    minReplicaCount: integer('The fewest pods. 0: none while the queue is empty.', 0, 1000),
    maxReplicaCount: integer('The most pods.', 1, 1000),
    pollingInterval: integer('Seconds between two looks at the triggers.', 1, 300),
    cooldownPeriod: integer('Seconds with nothing to do before the last pods go.', 0, DAY_SECONDS),
    initialCooldownPeriod: integer('The same before anything was ever to do.', 0, DAY_SECONDS),
    triggers: list('What is watched.', trigger, { minItems: 1, maxItems: 10 }),
    slo: object('What the decision aims at.', {
      targetDrainSeconds: integer('A backlog shall be gone after this many seconds.', 1, DAY_SECONDS),
      targetUtilization: {
        type: 'number',
        description:
          "The part of a pod's rate that the arriving messages shall use. 1: pods are never idle, because two thirds of what arrives in targetDrainSeconds, at most half of what the queue has room for, are left to stand before them.",
        minimum: 0.1,
        maximum: 1,
      },
    }),
    behavior: object('Limits on how fast the number changes, as in autoscaling/v2.', {
      scaleUp: rules('grows', 'Seconds over which the lowest number that was wanted counts.'),
      scaleDown: rules('shrinks', 'Seconds over which the highest number that was wanted counts.'),
    }),
    fallback: object(
      'What happens while a trigger cannot be read; without it the number stays.',
      {
        failureThreshold: integer('It begins after more than this many failures in a row.', 0, 1000, { default: 3 }),
        replicas: integer('The number of pods then.', 0, 1000),
        behavior: text(
          'static: that number. currentReplicas: the present one. currentReplicasIfHigher, currentReplicasIfLower: the present one if it is higher or lower than that number.',
          {
            enum: ['static', 'currentReplicas', 'currentReplicasIfHigher', 'currentReplicasIfLower'],
            default: 'currentReplicasIfHigher',
          },
        ),
      },
      { required: ['replicas'] },
    ),
    drain: object('How a pod that is taken away ends.', {
      strategy: text(
        'Cooperative: it is told first, and goes when it has finished. Sigterm: it finishes what it has while it ends.',
        { enum: ['Cooperative', 'Sigterm'] },
      ),
      timeoutSeconds: integer('The longest that it may take.', 1, 3600),
    }),
  },
  {
    'x-kubernetes-validations': [
      rule(
        'self.minReplicaCount <= self.maxReplicaCount',
        'minReplicaCount must not be above maxReplicaCount: lower the first or raise the second',
      ),
      rule(
        '!has(self.idleReplicaCount) || self.idleReplicaCount < self.minReplicaCount',
        'idleReplicaCount must be below minReplicaCount: lower it, or leave it out',
      ),
      rule(
        '!has(self.fallback) || self.fallback.replicas <= self.maxReplicaCount',
        'fallback.replicas must not be above maxReplicaCount: lower the first or raise the second',
      ),
    ],
  },
)
