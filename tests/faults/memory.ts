import { must } from '../stand/condition.ts'
import type { Process } from '../stand/service-process.ts'
import type { Stage } from './stage.ts'

/** What a process holds after a forced collection (its heap and the buffers beside it) and what it has of the machine. */
export type MemorySample = { heldBytes: number; residentBytes: number }

export type Growth = { held: number; resident: number }

const MEGABYTE = 1e6
/**
 * What may come on top while a process runs evenly, in MB. Measured over 250 s at 100 messages a second with both
 * connections to the broker cut every 2 s: after the first 15 s the producer held 45.6 MB at most and 43.3 at the end,
 * signals 46.9 and 44.0. Resident memory moves by whole pages that the allocator keeps.
 */
const LIMITS: Growth = { held: 3, resident: 24 }

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/**
 * MB by which the last third of the samples is above the second; in the first a process compiles its code and fills its
 * buffers. Medians, because a fault may hold up some hundred messages just when a sample is taken.
 * @param samples evenly spaced
 * @throws Error when there are fewer than three: that is no verdict
 */
export const growthOf = (samples: readonly MemorySample[]): Growth => {
  const third = Math.floor(samples.length / 3)
  if (third === 0) throw new Error(`expected at least 3 samples of memory, got ${samples.length}`)
  const part = (from: number, of: keyof MemorySample) =>
    median(samples.slice(from, from + third).map((sample) => sample[of]))
  const grown = (of: keyof MemorySample) =>
    (part(samples.length - third, of) - part(samples.length - 2 * third, of)) / MEGABYTE
  return { held: grown('heldBytes'), resident: grown('residentBytes') }
}

/** What is wrong with a growth, or undefined. */
export const faultOf = ({ held, resident }: Growth): string | undefined => {
  if (held > LIMITS.held) return `holds ${held.toFixed(1)} MB more than before after a collection`
  if (resident > LIMITS.resident) return `grew by ${resident.toFixed(1)} MB`
  return undefined
}

const MARK = 'memory '

const COLLECTS = `
process.on('SIGUSR2', () => {
  gc()
  gc() // what the first one finalizes is freed by the second
  const { heapUsed, external, rss } = process.memoryUsage()
  const sample = { atMs: performance.now(), heldBytes: heapUsed + external, residentBytes: rss }
  console.log('${MARK}' + JSON.stringify(sample))
})`

/** NODE_OPTIONS of a process whose memory can be read. */
export const READABLE_MEMORY = `--expose-gc --import=data:text/javascript,${encodeURIComponent(COLLECTS)}`

const lastSample = (process: Process): (MemorySample & { atMs: number }) | undefined => {
  const line = process.log().findLast((one) => one.startsWith(MARK))
  return line === undefined ? undefined : JSON.parse(line.slice(MARK.length))
}

/** Collects the garbage of a process that was started with READABLE_MEMORY, and tells what is left. */
export const readMemory = (of: Process): Promise<MemorySample> => {
  const formerMs = lastSample(of)?.atMs
  process.kill(of.pid, 'SIGUSR2')
  return must(`${of.component} to collect its garbage`, 60_000, async () => {
    const sample = lastSample(of)
    return sample?.atMs === formerMs ? undefined : sample
  })
}

/** Expects of what a process was seen to hold that it stays the same. Returns its growth. */
export const expectFlat = (stage: Stage, { component }: Process, samples: readonly MemorySample[]): Growth => {
  const growth = growthOf(samples)
  const fault = faultOf(growth)
  stage.expect(fault === undefined, `${component} ${fault}`)
  return growth
}
