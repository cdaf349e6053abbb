import type { Sabotage } from '../faults/controls.ts'

/** The negative controls: defects of an operator that a test must catch, or it proves nothing. */
export const CONTROLS = {
  'settings-named-by-process': {
    what: 'a ConfigMap is named by the process that makes it, not by its content',
    edits: [
      {
        file: 'operator/decide/children.ts',
        from: '.update(JSON.stringify(Object.entries(data).sort()))',
        to: '.update(String(process.pid))',
      },
    ],
  },
  'dead-brokers-are-waited-for': {
    what: 'each reconcile of a pipeline whose broker hangs waits for it',
    edits: [
      { file: 'operator/cluster/circuit.ts', from: 'if (state.problem !== undefined) {', to: 'if (false) {' },
      { file: 'operator/cluster/circuit.ts', from: 'const SILENCE_MS = 3_000', to: 'const SILENCE_MS = 60_000' },
    ],
  },
  'status-tells-time': {
    what: 'the status differs each time it is told',
    edits: [
      {
        file: 'operator/status.ts',
        from: "reason: conditions[0]?.reason ?? '',",
        to: 'reason: String(performance.now()),',
      },
    ],
  },
  'believes-its-cache': {
    what: 'a deletion is carried out without asking whether it still stands',
    edits: [
      {
        file: 'operator/finalize.ts',
        from: '  if (removes && (await isGone(context, pipeline))) return undefined\n',
        to: '',
      },
    ],
  },
  'rolls-out-each-build': {
    what: 'a pod template that another build made is not kept',
    edits: [
      {
        file: 'operator/decide/release.ts',
        from: 'if (known[TEMPLATE] === undefined || known[TEMPLATE] === told[TEMPLATE]) return fresh',
        to: 'return fresh',
      },
    ],
  },
  'writes-without-lease': {
    what: 'what was begun under a lease is written without it, too, and its loss ends nothing',
    edits: [
      { file: 'operator/kit/fence.ts', from: 'if (!isLeader()) throw', to: 'if (Number.isNaN(0)) throw' },
      {
        file: 'operator/kit/lease.ts',
        from: 'if (!leading) return\n    leading = false\n    stopping',
        to: 'if (leading) return\n    leading = false\n    stopping',
      },
    ],
  },
  'drain-waits-for-nobody': {
    what: 'pods are taken away as soon as they are told',
    edits: [
      {
        file: 'operator/decide/drain.ts',
        from: '(pod) => pod.hears && pod.running && !pod.finished',
        to: '() => false',
      },
    ],
  },
  'number-left-to-nobody': {
    what: 'the number of pods is left out without another owner for it',
    edits: [
      {
        file: 'operator/actions.ts',
        from: 'if (isLeft && live !== undefined) await handOver(live)',
        to: '',
      },
    ],
  },
  'forgets-who-scales': {
    what: 'an operator that has just started takes a ScaledObject that is not listed yet for one that is not there',
    edits: [
      {
        file: 'operator/decide/scalers.ts',
        from: 'if (!seen.listed && former != null) return former',
        to: '',
      },
    ],
  },
} as const satisfies Record<string, Sabotage>
