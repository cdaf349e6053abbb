import { deepFreeze } from './freeze.ts'
import type { KubeObject } from './object.ts'

/** Makes what an object has in common with its former state, and with those that came before it, one and the same. */
export type Sharing = (object: KubeObject, before: KubeObject | undefined) => KubeObject

/** Lists go by name: what is like the third Deployment of an owner came three objects ago. */
const MOST_LIKE = 4

type Fields = Record<string, unknown>
const isParent = (value: unknown): value is Fields => typeof value === 'object' && value !== null

/** The part of one of `like` that equals `value`; else `value`, in which parts that equal theirs have become theirs. */
const shareWith = (value: unknown, like: readonly unknown[]): unknown => {
  if (!isParent(value)) return value
  const names = Object.keys(value)
  const isArray = Array.isArray(value)
  let same: Fields[] = []
  const alike: Fields[] = []
  for (const other of like) {
    if (!isParent(other) || Array.isArray(other) !== isArray) continue
    alike.push(other)
    if (Object.keys(other).length === names.length) same.push(other)
  }
  if (alike.length === 0) return deepFreeze(value)
  for (const name of names) {
    const part = value[name]
    // Equal strings are found among the parts, too: each was parsed into memory of its own.
    const shared = isParent(part)
      ? shareWith(
          part,
          alike.map((other) => other[name]),
        )
      : (alike.find((other) => other[name] === part)?.[name] ?? part)
    value[name] = shared
    same = same.filter((other) => other[name] === shared)
  }
  return same[0] ?? Object.freeze(value)
}

/**
 * Thousands of objects that one controller made are alike but for some names, and kept as they are parsed each has its
 * own probes, security contexts and labels. Here parts that are equal become one, which is frozen: a cached Deployment
 * takes about a kilobyte instead of nine and still is whole. It costs less than parsing did, because an object is only
 * compared, field by field, with its former state and with the last few that came.
 */
export const createSharing = (): Sharing => {
  const last: KubeObject[] = []
  return (object, before) => {
    const shared = shareWith(object, before === undefined ? last : [before, ...last]) as KubeObject
    if (last.length === MOST_LIKE) last.shift()
    last.push(shared)
    return shared
  }
}
