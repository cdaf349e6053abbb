export type RetryPolicy = { maxRetries: number; delaysMs: readonly number[]; jitterMs: number }

export type RetryDecision =
  | { kind: 'retry'; queue: string; expirationMs: number; attempt: number }
  | { kind: 'exhausted'; attempts: number }

/**
 * What becomes of a message whose processing failed in a way that may pass: a copy to the retry queue of its step,
 * waiting from the step's delay to that plus the jitter, or the end.
 *
 * A step has a queue of its own because the head of a queue holds up all behind it: within one step that costs at
 * most the jitter. Attempts beyond the last step wait as long as the last.
 * @param retryQueues one for each delay of the policy
 * @param attempt tries before this one, from `x-attempt`
 * @param random 0 (included) to 1 (excluded)
 */
export const decideRetry = (
  retryQueues: readonly string[],
  policy: RetryPolicy,
  attempt: number,
  random: number,
): RetryDecision => {
  const step = Math.min(attempt, policy.delaysMs.length - 1)
  const [queue, delayMs] = [retryQueues[step], policy.delaysMs[step]]
  if (attempt >= policy.maxRetries || queue === undefined || delayMs === undefined)
    return { kind: 'exhausted', attempts: attempt + 1 }
  const expirationMs = delayMs + Math.floor(random * (policy.jitterMs + 1))
  return { kind: 'retry', queue, expirationMs, attempt: attempt + 1 }
}
