import { eventually, kubectl, read } from './cluster.ts'

/** A pipeline of the tests' own: its names share nothing with the sample's, so the fleet goes on undisturbed. */
export const manifest = (name: string, change: Record<string, unknown> = {}): string =>
  JSON.stringify({
    apiVersion: 'xrayiot.dev/v1alpha1',
    kind: 'XRayPipeline',
    metadata: { name, namespace: 'xray' },
    spec: {
      deletionPolicy: 'Delete',
      broker: { exchange: `${name}.xray`, queue: `${name}.raw.q`, deadLetterExchange: `${name}.dlx` },
      store: { database: name },
      producer: { replicas: 1, rateLimit: { perDevicePerMinute: 100_000 } },
      api: { replicas: 1 },
      signals: { scaling: { cooldownPeriod: 5, pollingInterval: 1 } },
      ...change,
    },
  })

export const apply = (text: string): Promise<string> => kubectl(['apply', '-f', '-'], text)

type Status = {
  observedGeneration: number
  conditions: { type: string; status: string; reason: string; message: string }[]
  components: Record<string, { ready: number; desired: number }>
  backlog?: number
  deadLetters?: number
}

export const statusOf = async (name: string): Promise<Status & { generation: number }> => {
  const { metadata, status } = await read('xraypipeline', name, '-n', 'xray')
  return { ...status, generation: metadata.generation }
}

/** Waits until a condition of the current generation holds. */
export const conditionHolds = (name: string, type: string, status: string, reason?: string): Promise<Status> =>
  eventually(`${type}=${status} ${reason ?? ''} of ${name}`, 240, async () => {
    const seen = await statusOf(name)
    const condition = seen.conditions.find((candidate) => candidate.type === type)
    const holds =
      seen.observedGeneration === seen.generation &&
      condition?.status === status &&
      (reason === undefined || condition.reason === reason)
    if (!holds) throw new Error(JSON.stringify(condition))
    return seen
  })

/** Deletes a pipeline and waits until it, its Deployments and its keys are gone: all of the tests' own delete theirs. */
export const remove = async (name: string): Promise<void> => {
  await kubectl(['delete', 'xraypipeline', name, '-n', 'xray', '--ignore-not-found', '--wait=true', '--timeout=300s'])
  await eventually(`Deployments and keys of ${name} to be collected`, 150, async () =>
    (await read('deployments,secrets', '-n', 'xray', '-l', `app.kubernetes.io/instance=${name}`)).items.length === 0
      ? true
      : undefined,
  )
}
