import { kubectl, read } from '../e2e/cluster.ts'
import { must } from '../stand/condition.ts'

// A pod is never deleted by force here: its object is gone at once while its processes still run, the StatefulSet
// starts another on the same volume, and two servers write the same files. PostgreSQL then finds no valid checkpoint,
// and what it had confirmed is lost. So the processes themselves are killed, and the pod stays.

const exec = (pod: string, container: string, ...command: string[]): Promise<string> =>
  kubectl(['exec', '-n', 'xray', pod, '-c', container, '--', ...command])

type Pod = { status: { containerStatuses: { name: string; restartCount: number; ready: boolean }[] } }

const containerOf = async (pod: string, name: string) =>
  ((await read('pod', pod, '-n', 'xray')) as Pod).status.containerStatuses.find((one) => one.name === name)

/** Halts the broker's node between two instructions, and waits until it is ready again. */
export const crashBroker = async (): Promise<void> => {
  const before = await containerOf('xray-rabbitmq-0', 'rabbitmq')
  const halt = 'erlang:halt(137, [{flush, false}]).'
  await exec('xray-rabbitmq-0', 'rabbitmq', 'rabbitmqctl', 'eval', halt).catch(() => undefined) // it takes the answer along
  await must('the broker to be back', 120_000, async () => {
    const now = await containerOf('xray-rabbitmq-0', 'rabbitmq')
    return now?.ready === true && now.restartCount > (before?.restartCount ?? 0) ? true : undefined
  })
}

/**
 * Kills every process of PostgreSQL but its supervisor, which recovers from the log and starts them anew. One that
 * ends meanwhile is not there to be killed.
 */
export const crashStore = async (): Promise<void> =>
  void (await exec('xray-mongodb-0', 'postgresql', 'sh', '-c', 'kill -9 $(pgrep -P 1) || true'))
