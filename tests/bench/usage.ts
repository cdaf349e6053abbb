import { readdirSync, readFileSync } from 'node:fs'

/** Seconds of CPU and bytes of memory that processes have used so far, by what they are. */
export type Usage = Record<string, { cpuSeconds: number; rssBytes: number }>

const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096

const KINDS: [kind: string, is: RegExp][] = [
  ['producer', /services\/producer\/main\.ts/],
  ['signals', /services\/signals\/main\.ts/],
  ['api', /services\/api\/main\.ts/],
  ['operator', /operator\/main\.ts/],
  ['keda', /keda-[0-9a-f]+\/(operator|adapter)/],
  ['load generator', /bench\/load\/(sender|reader)\.ts/],
  ['rabbitmq', /beam\.smp/],
  ['redis', /redis-server/],
  ['ferretdb', /ferretdb/],
  ['postgres', /postgres/],
  ['kubernetes', /kube-|kubelet|etcd|containerd|coredns|local-path/],
]

const kindOf = (commandLine: string): string => KINDS.find(([, is]) => is.test(commandLine))?.[0] ?? 'other'

const readOrNothing = (path: string): string => {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // the process ended between the listing and now
  }
}

/**
 * What every process of this machine has used, pods included, by kind.
 * @param includes of a command line: processes of services count only when their environment holds this, so that a
 *   second pipeline on the same machine is not counted; they are then `other`
 */
export const readUsage = (pipeline: string): Usage => {
  const usage: Usage = {}
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = readOrNothing(`/proc/${pid}/stat`)
    if (stat === '') continue
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const named = kindOf(readOrNothing(`/proc/${pid}/cmdline`).replaceAll('\0', ' '))
    const foreign =
      ['producer', 'signals', 'api'].includes(named) &&
      !readOrNothing(`/proc/${pid}/environ`).includes(`PIPELINE_NAME=${pipeline}\0`)
    const kind = foreign ? 'other' : named
    const sum = usage[kind] ?? { cpuSeconds: 0, rssBytes: 0 }
    usage[kind] = {
      cpuSeconds: sum.cpuSeconds + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      rssBytes: sum.rssBytes + Number(fields[21]) * PAGE_BYTES,
    }
  }
  return usage
}

/** Microseconds of CPU for each message, by kind of process, between two readings. */
export const cpuPerMessage = (before: Usage, after: Usage, messages: number): Record<string, number> =>
  Object.fromEntries(
    Object.entries(after).flatMap(([kind, { cpuSeconds }]) => {
      const micros = Math.round(((cpuSeconds - (before[kind]?.cpuSeconds ?? 0)) * 1e6) / messages)
      return micros > 0 ? [[kind, micros]] : []
    }),
  )

export const memoryOf = (usage: Usage, kinds: string[]): Record<string, number> =>
  Object.fromEntries(kinds.map((kind) => [kind, Math.round((usage[kind]?.rssBytes ?? 0) / 1e6)]))
