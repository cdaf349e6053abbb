import { EXIT, Failure } from './failure.ts'

export type State = 'ok' | 'warning' | 'failed' | 'skipped'

/** What a look came to; without a state it is fine. */
export type Finding = { state?: State; detail: string }

export type Check = {
  name: string
  /** What to do when it fails: a command wherever there is one. */
  fix: string
  /** True of what makes sense before anything is installed. */
  early?: boolean
  /** Checks without which this one cannot be made. */
  needs?: string[]
  /** A Failure that it throws is what is wrong; one for a lack of permission leaves the check out. */
  look: () => Promise<Finding>
}

export type Result = { name: string; state: State; detail: string; fix: string }

export const fine = (detail: string): Finding => ({ detail })
export const wrong = (detail: string): Finding => ({ state: 'failed', detail })
export const odd = (detail: string): Finding => ({ state: 'warning', detail })
export const leftOut = (detail: string): Finding => ({ state: 'skipped', detail })

const lookAt = async ({ look }: Check): Promise<Finding> => {
  try {
    return await look()
  } catch (error) {
    if (error instanceof Failure && error.exit === EXIT.denied) return leftOut(error.message)
    return wrong((error as Error).message.split('\n')[0] ?? '')
  }
}

/** Makes every check, one after another, each only when those that it needs are fine; tells each as it is made. */
export const examine = async (checks: readonly Check[], tell: (result: Result) => void): Promise<Result[]> => {
  const results: Result[] = []
  for (const check of checks) {
    const missing = (check.needs ?? []).find((name) =>
      results.some(
        (one) => (one.name === name && one.state === 'failed') || (one.name === name && one.state === 'skipped'),
      ),
    )
    const { state = 'ok', detail } =
      missing === undefined ? await lookAt(check) : leftOut(`not looked at without "${missing}"`)
    const result = { name: check.name, state, detail, fix: check.fix }
    results.push(result)
    tell(result)
  }
  return results
}
