import { createHash } from 'node:crypto'

/** A value as JSON whose text does not depend on the order in which fields were set. */
export const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${fields.map(([name, part]) => `${JSON.stringify(name)}:${canonical(part)}`).join()}}`
}

/** 16 hexadecimal digits that are the same for the same value, in every build. */
export const hashOf = (value: unknown): string =>
  createHash('sha256').update(canonical(value)).digest('hex').slice(0, 16)

/** True when `canonical` says the same of both; it looks no further than the first difference, and makes no text. */
export const isSame = (one: unknown, other: unknown): boolean => {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return (one ?? null) === (other ?? null)
  if (Array.isArray(one) || Array.isArray(other))
    return (
      Array.isArray(one) &&
      Array.isArray(other) &&
      one.length === other.length &&
      one.every((part, index) => isSame(part, other[index]))
    )
  const [parts, others] = [one as Record<string, unknown>, other as Record<string, unknown>]
  const isThere = (value: unknown) => value !== undefined
  const fields = Object.keys(parts).filter((name) => isThere(parts[name]))
  return (
    fields.length === Object.values(others).filter(isThere).length &&
    fields.every((name) => isThere(others[name]) && isSame(parts[name], others[name]))
  )
}
