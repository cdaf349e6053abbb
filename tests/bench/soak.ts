import { randomBytes } from 'node:crypto'
import { soak } from '../faults/soak.ts'

/** `npm run bench -- soak --seconds N [--seed S]`: without a seed, a new one, which is printed. */
export const benchSoak = (seconds: number): Promise<object> => {
  const at = process.argv.indexOf('--seed')
  return soak(seconds, process.argv[at === -1 ? Number.NaN : at + 1] ?? randomBytes(4).toString('hex'))
}
