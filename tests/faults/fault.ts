import type { Component } from '../stand/service-process.ts'
import { CONTROLS, type ControlName } from './controls.ts'
import type { Sheet } from './oracle.ts'
import { type Stage, type StageOptions, withStage } from './stage.ts'

/** One thing that goes wrong, what must hold all the same, and the defect with which it must not. */
export type Fault = {
  name: string
  /** What goes wrong. */
  what: string
  /** What is expected beyond the oracle's rules. */
  expected: string
  control: { sabotage: ControlName; of: Component; breaks: RegExp }
  options?: Pick<StageOptions, 'retry' | 'maxLengthBytes'>
  /** @param controlled with the defect, where less is enough to show it */
  run: (stage: Stage, controlled: boolean) => Promise<void>
}

/** A sound run may be slow; one with a defect is only waited for until it is plain. */
const STUCK_MS = { sound: 20_000, control: 3_000 }

/** Runs a fault on the product as it is. */
export const runFault = (fault: Fault): Promise<Sheet> =>
  withStage({ ...fault.options, name: `fault-${fault.name}`, stuckMs: STUCK_MS.sound }, (stage) =>
    fault.run(stage, false),
  )

/** Runs it with its defect. */
export const runControl = ({ name, options, control, run }: Fault): Promise<Sheet> => {
  const { of, sabotage } = control
  const controlled = { of, edits: CONTROLS[sabotage].edits }
  return withStage({ ...options, name: `control-${name}`, control: controlled, stuckMs: STUCK_MS.control }, (stage) =>
    run(stage, true),
  )
}

/** Whether the control did what it must: it broke the rule that it is there to break. */
export const isCaught = ({ control }: Fault, sheet: Sheet): boolean =>
  sheet.violations.some((violation) => control.breaks.test(violation))
