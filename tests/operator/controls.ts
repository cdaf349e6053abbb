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
} as const satisfies Record<string, Sabotage>
