/** metav1.Condition. */
export type Condition = {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  lastTransitionTime: string
  observedGeneration: number
}

export type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

/** The time to the second, as the API server keeps it. */
const stamp = (now: Date): string => `${now.toISOString().slice(0, 19)}Z`

/** Findings as conditions: the time of one moves only when its status does. */
export const toConditions = (
  findings: Finding[],
  before: readonly Condition[],
  generation: number,
  now: Date,
): Condition[] =>
  findings.map((finding) => {
    const known = before.find(({ type }) => type === finding.type)
    const lastTransitionTime = known?.status === finding.status ? known.lastTransitionTime : stamp(now)
    return { ...finding, lastTransitionTime, observedGeneration: generation }
  })
