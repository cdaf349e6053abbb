import type { Secret } from './cluster.ts'

/** What stands in a connection Secret beside what is secret: it is in the spec, in Services and in logs anyhow. */
const PUBLIC = [
  'type',
  'provider',
  'host',
  'port',
  'username',
  'database',
  'vhost',
  'management-uri',
  'ca.crt',
  'tls.crt',
]
/** Shorter values occur by chance, and to blot them out would make everything unreadable. */
const SHORTEST = 6

const LEFT_OUT = '[left out]'

/** Whoever names a variable so means it to be secret. */
const TELLING = /pass|secret|token|key|credential|auth|uri|url|dsn/i

/** Every way in which a value may have been written. */
const formsOf = (value: string): string[] => [
  value,
  value.trim(),
  encodeURIComponent(value),
  JSON.stringify(value).slice(1, -1),
  Buffer.from(value).toString('base64'),
]

/** The values that must not leave the namespace, longest first: a password is also a part of its URI. */
export const secretValues = (secrets: readonly Secret[]): string[] =>
  secrets
    .flatMap(({ data = {} }) => Object.entries(data).filter(([key]) => !PUBLIC.includes(key)))
    .map(([, value]) => Buffer.from(value, 'base64').toString())
    .filter((value) => value.length >= SHORTEST)
    .sort((one, other) => other.length - one.length)

/**
 * Makes a function that leaves out of a text every value of the Secrets, and whatever looks like a password in a URI or
 * a token of ours, also of Secrets that could not be read.
 */
export const createScrub = (secrets: readonly Secret[]): ((text: string) => string) => {
  const forms = [...new Set(secretValues(secrets).flatMap(formsOf))]
  return (text) =>
    forms
      .reduce((left, form) => left.replaceAll(form, LEFT_OUT), text)
      .replaceAll(/(\w:\/\/[^\s:@/"']*:)[^\s@/"']+@/g, `$1${LEFT_OUT}@`)
      .replaceAll(/\bxrk_[\w-]+/g, LEFT_OUT)
      .replaceAll(/\b(Bearer|Basic) [\w.~+/=-]{8,}/g, `$1 ${LEFT_OUT}`)
}

/** A copy of an object without what the API server keeps for itself, and without variables that are named like secrets. */
export const withoutSecrets = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (value === null || typeof value !== 'object') return value
  const { name, value: own } = value as { name?: unknown; value?: unknown }
  const telling = typeof name === 'string' && typeof own === 'string' && TELLING.test(name)
  return Object.fromEntries(
    Object.entries(value)
      // The last is the whole object once more, as text.
      .filter(([field]) => !['managedFields', 'kubectl.kubernetes.io/last-applied-configuration'].includes(field))
      .map(([field, part]) => [field, telling && field === 'value' ? LEFT_OUT : withoutSecrets(part)]),
  )
}
