/** A child that the API server does not take, or whose name another's object has. */
export type Refusal = { reason: 'ChildInvalid' | 'ChildForbidden' | 'NameTaken'; message: string }

/** What the API answered, as far as it tells what to do about it. */
export type Answer = { status: number; reason: string; message: string }

export type Grade =
  /** It will not be taken until the spec, or what is allowed, has changed; everything else goes on. */
  | { kind: 'refused'; refusal: Refusal }
  /** The namespace is going: nothing can be made in it, and the pipeline itself goes with it. */
  | { kind: 'ending' }
  /** Tried again, later and later. */
  | { kind: 'unexpected' }

/** A field that its kind does not have: server-side apply tells it with 500, although trying again is no use. */
const UNKNOWN_FIELD = 'failed to create typed patch object'

/** @param child such as "Deployment leipzig-api"; @param holder who has its name */
export const takenMessage = (child: string, holder: string): string =>
  `${child} is another's: ${holder}; rename or delete it, or give the pipeline another name`

/**
 * Grades what the API server answered to an apply by what is to be done about it.
 * @param child such as "Deployment leipzig-api"
 */
export const gradeOf = ({ status, reason, message }: Answer, child: string): Grade => {
  if (reason === 'NameTaken')
    return { kind: 'refused', refusal: { reason: 'NameTaken', message: takenMessage(child, message) } }
  if (status === 400 || status === 422 || message.startsWith(UNKNOWN_FIELD))
    return { kind: 'refused', refusal: { reason: 'ChildInvalid', message: `${child}: ${message}` } }
  if (status !== 403) return { kind: 'unexpected' }
  if (message.includes('is being terminated')) return { kind: 'ending' }
  return { kind: 'refused', refusal: { reason: 'ChildForbidden', message: `${child}: ${message}` } }
}
