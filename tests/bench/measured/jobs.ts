import { createServer } from 'node:http'
import { closeServer, listen } from '#runtime/probe.ts'
import type { Edit } from '../../faults/sabotage.ts'
import { addressOf } from './relay.ts'

/** What a pod does with a message before it stores it. */
export type Job = {
  /** Messages that a pod has at once, two batches of them. */
  prefetch: number
  batch: number
  /** How long a batch takes. */
  ms: number
  /** What is behind all pods of an arm takes so many messages a second; without a limit when left out. */
  sharedPerSecond?: number
}

/** Messages a second of one pod when nothing behind it is the limit. */
export const perSecondOf = ({ prefetch, ms }: Job): number => prefetch / (ms / 1000)

/**
 * A queue before one server of a fixed rate.
 * @param freeAtMs when it has done all that came before
 * @returns when it has done these `count`, too
 */
export const doneAtMs = (freeAtMs: number, nowMs: number, count: number, perSecond: number): number =>
  Math.max(freeAtMs, nowMs) + (count / perSecond) * 1000

/** The real signals service, with a store that takes as long as the job. @param behind address of `openBehind` */
export const editFor = ({ ms }: Job, behind: string | undefined): Edit[] => {
  const waits = behind === undefined ? '' : `await (await fetch('${behind}?count=' + entries.length)).text(), `
  return [
    {
      file: 'services/signals/service.ts',
      from: 'store: (entries, lap) => storeBatch(',
      to: `store: async (entries, lap) => (${waits}await delay(${ms}), 0) || storeBatch(`,
    },
  ]
}

/**
 * What is behind the pods: answers `/ARM?count=N` when that arm's N messages are done, at the rate that all pods of the
 * arm share.
 */
export const openBehind = async (perSecond: number) => {
  const freeAtMs = new Map<string, number>()
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://behind')
    const now = performance.now()
    const doneAt = doneAtMs(freeAtMs.get(pathname) ?? 0, now, Number(searchParams.get('count')), perSecond)
    freeAtMs.set(pathname, doneAt)
    setTimeout(() => response.end('done'), doneAt - now)
  })
  await listen(server, 0)
  return {
    address: (arm: string): string => `${addressOf(server)}/${arm}`,
    close: () => {
      server.closeAllConnections()
      return closeServer(server)
    },
  }
}
