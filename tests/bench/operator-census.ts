import { readFileSync } from 'node:fs'
import { type AuditEntry, WRITES } from '../operator/audit.ts'

const TICKS_PER_SECOND = 100

/** CPU seconds that a process has used, and its resident memory now and at most, MB. */
export const usageOf = (pid: number): { cpuSeconds: number; rssMegabytes: number; peakMegabytes: number } => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const megabytes = (name: string) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1000)
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssMegabytes: megabytes('VmRSS'),
    peakMegabytes: megabytes('VmHWM'),
  }
}

/** Requests by user agent and verb, such as `{ 'xray-operator': { patch: 12 } }`; agents are told by their first word. */
export const requestsByAgent = (entries: readonly AuditEntry[]): Record<string, Record<string, number>> => {
  const counts: Record<string, Record<string, number>> = {}
  for (const { userAgent, verb } of entries) {
    const agent = userAgent.split(/[/ ]/, 1)[0] ?? ''
    const verbs = counts[agent] ?? {}
    counts[agent] = { ...verbs, [verb]: (verbs[verb] ?? 0) + 1 }
  }
  return counts
}

/**
 * How long each change of a pipeline waited for the operator's first write to it or to a child of it, ms, from the least on: from the
 * answer to the change until the write came to the API server, by the API server's own clock.
 * @param pipelineOf the pipeline to which an object's name belongs
 */
export const waitsOf = (
  entries: readonly AuditEntry[],
  operator: string,
  pipelineOf: (name: string) => string,
): number[] => {
  const changedMs = new Map<string, number>()
  const waits: number[] = []
  for (const { user, verb, resource, subresource, name, atMs, doneMs } of entries) {
    const pipeline = pipelineOf(name)
    if (user !== operator && verb === 'patch' && resource === 'xraypipelines' && subresource === '')
      changedMs.set(pipeline, doneMs)
    const since = changedMs.get(pipeline)
    if (user !== operator || !WRITES.includes(verb) || resource === 'events' || since === undefined) continue
    changedMs.delete(pipeline)
    waits.push(Math.max(0, atMs - since))
  }
  return waits.sort((one, other) => one - other)
}
