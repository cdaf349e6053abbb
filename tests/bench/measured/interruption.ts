/** What a run ends with when somebody interrupts it, after it has cleaned up. */
export class Interrupted extends Error {
  override name = 'Interrupted'
}

/** What a promise becomes, unless the signal comes first. @throws Interrupted when it does */
export const orInterrupted = async <T>(signal: AbortSignal, promise: Promise<T>): Promise<T> => {
  let stop = () => {}
  const interruption = new Promise<never>((_, reject) => {
    stop = () => reject(new Interrupted('interrupted'))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop)
  })
  try {
    return await Promise.race([promise, interruption])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
