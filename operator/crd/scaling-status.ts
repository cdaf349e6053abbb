import { flag, list, object, type Schema, text } from './schema.ts'

const count = (description: string): Schema => ({ type: 'integer', description })
const figure = (description: string): Schema => ({ type: 'number', description })
const time = (description: string): Schema => ({ type: 'string', format: 'date-time', description })

/** The schema of `status.scaling`: one decision whole, so that it can be made again from it. */
export const scalingStatusSchema: Schema = object(
  'A decision on the number of signals pods, whole; written when there is news, not at every look.',
  {
    observedAt: time('When it was made.'),
    statsAgeSeconds: count('The age of the last look at the queue then.'),
    replicas: object('The number of pods.', {
      current: count('As the Deployment had it.'),
      ready: count('Ready ones.'),
      raw: count('What the triggers ask for.'),
      stabilized: count('After tolerance and stabilization windows.'),
      desired: count('What was decided.'),
    }),
    inputs: object('What was known; what is left out was not.', {
      ready: count('Messages that wait.'),
      unacked: count('Messages that a pod has and has not acknowledged.'),
      publishRate: figure('Messages that arrive in a second.'),
      ackRate: figure('Messages that are acknowledged in a second.'),
      serviceRate: object('What one pod does.', {
        value: figure('Messages in a second.'),
        source: text('Measured, Remembered from this status, or Given by a trigger.'),
        samples: count('How many measurements it is made of.'),
      }),
      downstreamRate: figure('Messages in a second that everything behind the pods takes, when that is the limit.'),
      startupSeconds: figure('From the wish for a pod until it is ready.'),
      concurrency: count('Messages that a pod handles together.'),
      room: count('Messages of the largest size that the queue has room for; with targetUtilization 1.'),
      idleSeconds: count('Seconds since a trigger was active.'),
      neverActive: flag('True: none ever was.'),
      unknownSeconds: count('Seconds since all triggers could be read, while one cannot.'),
      metrics: list(
        'The values of the prometheus triggers.',
        object('A value.', { name: text("The trigger's name."), value: figure('Its value.') }),
      ),
      problems: list(
        'Why prometheus triggers cannot be read.',
        object('A trigger.', {
          name: text("The trigger's name."),
          reason: text('One word that says why.'),
          message: text('What is known of it.', { maxLength: 1024 }),
        }),
      ),
      contradiction: text('How the figures of the broker contradict each other.'),
      fixed: count('spec.signals.replicas.'),
      elsewhere: object('What keeps the operator from deciding: KEDA, or another scaler of the same pods.', {
        reason: text('One word that says why.'),
        message: text('What is known of it.', { maxLength: 1024 }),
      }),
    }),
    bounds: object('How far behavior lets the number move.', {
      lowest: count('The lowest number that was wanted in the window of scaleUp.'),
      highest: count('The highest number that was wanted in the window of scaleDown.'),
      most: count('What the policies of scaleUp allow.'),
      fewest: count('What the policies of scaleDown allow.'),
      burst: flag('True: a burst is on or just over, and nothing is taken away.'),
    }),
    pauses: object('What annotations hold back.', {
      paused: flag('The number stays.'),
      replicas: count('At this.'),
      scaleIn: flag('It does not shrink.'),
      scaleOut: flag('It does not grow.'),
      forced: flag('The triggers count as active.'),
    }),
    terms: object('The parts of the sum, in pods.', {
      steady: figure('For what arrives.'),
      startup: figure('For what gathers while pods start.'),
      backlog: figure('For what has gathered.'),
    }),
    limits: list(
      'What changed the number on its way, in order.',
      object('A limit.', {
        name: text('Its name.'),
        from: count('The number before it.'),
        to: count('The number after it.'),
      }),
    ),
    drain: object('While pods are being taken away.', {
      from: count('The number of pods before.'),
      to: count('The number that stay.'),
      finished: count('Those that go and hold nothing any more.'),
      message: text('The same in words.'),
    }),
    drainEtaSeconds: count('Seconds until the backlog is gone; left out when it grows, or is not known.'),
    reason: text('One word that says why.'),
    message: text('The figures behind it.', { maxLength: 1024 }),
    history: list(
      'The last ten changes of the decision, newest first.',
      object('A change.', {
        at: time('When.'),
        from: count('The number before.'),
        to: count('The number after.'),
        reason: text('Why.'),
      }),
    ),
  },
)
