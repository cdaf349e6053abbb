import { createRecent } from './recent.ts'

/** Requests to servers of which any may be dead, so that a dead one costs those who ask it no time. */
export type Circuit = {
  /**
   * Asks a server, unless it is known not to answer.
   * @param probe asks it something that changes nothing; run in the background while it is taken for dead
   * @throws what `ask` throws, or while the server is taken for dead what the last to ask it was told
   */
  ask: <T>(server: string, ask: () => Promise<T>, probe: () => Promise<unknown>) => Promise<T>
}

/** @param problem undefined: it answers, as far as is known */
type State = { problem: Error | undefined; failures: number; heardAtMs: number; probing: boolean; probedAtMs: number }

/** One lost connection is no dead server, and the pipelines of a living one must not be told that it is dead. */
const FAILURES = 3
/** A management API that has much to tell takes a second. */
const SILENCE_MS = 3_000
const PROBE_MS = 1_000

/** What is said of one that takes too long, however long that was. */
export const silent = (): Error => new Error('the broker does not answer')

/**
 * A server is taken for dead when three requests in a row had no answer, or one is not answered for 3 s while no other
 * is either. Whoever waits for it then is told so, and who asks later is told at once: a reconcile that waits for a
 * dead broker would keep others from their turn. One probe at a time looks whether it answers again, once a second at
 * most. An answer of any kind, also a late one, is a sign of life; what the answer says is not looked at here. Of a
 * server that nobody has asked in ten minutes nothing is known.
 */
export const createCircuit = (nowMs: () => number): Circuit => {
  const states = createRecent<State>(nowMs)

  const stateOf = (server: string): State => {
    const state = states.get(server) ?? {
      problem: undefined,
      failures: 0,
      heardAtMs: Number.NEGATIVE_INFINITY,
      probing: false,
      probedAtMs: Number.NEGATIVE_INFINITY,
    }
    states.set(server, state)
    return state
  }

  /** Asks, and notes whether an answer came. */
  const note = async <T>(state: State, ask: () => Promise<T>): Promise<T> => {
    try {
      const answer = await ask()
      Object.assign(state, { problem: undefined, failures: 0, heardAtMs: nowMs() })
      return answer
    } catch (error) {
      state.failures++
      // The first word on it stays: it is told in a status, which is written whenever it differs.
      if (state.failures >= FAILURES) state.problem ??= error as Error
      throw error
    }
  }

  const look = (state: State, probe: () => Promise<unknown>): void => {
    if (state.probing || nowMs() - state.probedAtMs < PROBE_MS) return
    state.probing = true
    note(state, probe)
      .catch(() => undefined)
      .finally(() => Object.assign(state, { probing: false, probedAtMs: nowMs() }))
  }

  return {
    ask: async (server, ask, probe) => {
      const state = stateOf(server)
      if (state.problem !== undefined) {
        look(state, probe)
        throw state.problem
      }
      const askedAtMs = nowMs()
      const { promise: silence, reject } = Promise.withResolvers<never>()
      const listen = (): NodeJS.Timeout =>
        setTimeout(() => {
          if (state.problem === undefined && state.heardAtMs > askedAtMs) {
            timer = listen()
            return
          }
          state.problem ??= silent()
          reject(state.problem)
        }, SILENCE_MS)
      let timer = listen()
      try {
        return await Promise.race([note(state, ask), silence])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
