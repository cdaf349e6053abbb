/** A number of places; who finds none free waits in line. */
export type Slots = {
  /** Resolves with what gives the place back. @throws the signal's reason when it aborts first */
  take: (signal: AbortSignal) => Promise<() => void>
}

export const createSlots = (count: number): Slots => {
  const line = new Set<() => void>()
  let free = count
  const giveBack = (): void => {
    const [next] = line
    if (next === undefined) free++
    else {
      line.delete(next)
      next()
    }
  }
  const once = (): (() => void) => {
    let held = true
    return () => {
      if (held) giveBack()
      held = false
    }
  }
  return {
    take: (signal) => {
      signal.throwIfAborted()
      if (free > 0) {
        free--
        return Promise.resolve(once())
      }
      return new Promise((resolve, reject) => {
        const enter = () => {
          signal.removeEventListener('abort', leave)
          resolve(once())
        }
        const leave = () => {
          line.delete(enter)
          reject(signal.reason)
        }
        line.add(enter)
        signal.addEventListener('abort', leave, { once: true })
      })
    },
  }
}
