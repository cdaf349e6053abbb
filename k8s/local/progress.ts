import { setTimeout as delay } from 'node:timers/promises'

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`

export type Step = { title: string; run: () => Promise<string | undefined> }

/**
 * Runs steps one after the other and says what each does, how many there are and how long each took.
 * A step returns what it found or made, in a few words.
 */
export const runSteps = async (steps: Step[], print: (line: string) => void): Promise<void> => {
  const startedAt = Date.now()
  for (const [index, { title, run }] of steps.entries()) {
    const stepAt = Date.now()
    const head = `[${index + 1}/${steps.length}] ${title}`
    print(`${head} ...`)
    const heartbeat = setInterval(() => print(`${head} ... ${seconds(Date.now() - stepAt)} so far`), 30_000)
    try {
      const outcome = await run()
      print(`${head}: ${outcome ?? 'done'} (${seconds(Date.now() - stepAt)})`)
    } finally {
      clearInterval(heartbeat)
    }
  }
  print(`All ${steps.length} steps took ${seconds(Date.now() - startedAt)}.`)
}

/**
 * Waits until a condition holds.
 * @param probe the wanted value, or undefined while it is not there; what it throws counts as "not yet"
 * @throws Error that names what did not happen, with the last thing that the probe threw
 */
export const until = async <T>(what: string, limitSeconds: number, probe: () => Promise<T | undefined>): Promise<T> => {
  const deadline = Date.now() + limitSeconds * 1000
  let last = ''
  for (;;) {
    try {
      const value = await probe()
      if (value !== undefined) return value
    } catch (error) {
      last = `: ${(error as Error).message}`
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitSeconds} s in vain for ${what}${last}`)
    await delay(250)
  }
}
