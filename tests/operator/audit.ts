import { readFileSync, statSync } from 'node:fs'

/** One request that the API server answered, as its audit log tells it. */
export type AuditEntry = {
  verb: string
  user: string
  userAgent: string
  resource: string
  subresource: string
  namespace: string
  name: string
  code: number
  /** When it came, and when it was answered. */
  atMs: number
  doneMs: number
}

export type AuditLog = {
  /** A place in the log: what is written from now on comes after it. */
  mark: () => number
  /** What was answered since a place; a watch counts when it starts. */
  since: (mark: number) => AuditEntry[]
}

/** Metadata only: bodies would hold Secrets, and be many times as long. */
export const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'None', users: ['system:apiserver'] }, { level: 'Metadata' }],
}

/** The verbs that change something. */
export const WRITES: readonly string[] = ['create', 'update', 'patch', 'delete', 'deletecollection']

type Line = {
  stage: string
  verb: string
  user: { username: string }
  userAgent?: string
  objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string }
  responseStatus?: { code: number }
  requestReceivedTimestamp: string
  stageTimestamp: string
}

const entryOf = (text: string): AuditEntry[] => {
  const {
    stage,
    verb,
    user,
    userAgent = '',
    objectRef = {},
    responseStatus,
    requestReceivedTimestamp,
    stageTimestamp,
  } = JSON.parse(text) as Line
  // A watch is told twice: when it starts and, minutes later, when it ends.
  if ((stage === 'ResponseStarted') !== (verb === 'watch')) return []
  const { resource = '', subresource = '', namespace = '', name = '' } = objectRef
  const entry = { verb, user: user.username, userAgent, resource, subresource, namespace, name }
  const [atMs, doneMs] = [Date.parse(requestReceivedTimestamp), Date.parse(stageTimestamp)]
  return [{ ...entry, code: responseStatus?.code ?? 0, atMs, doneMs }]
}

/** Reads the audit log of an API server while it is being written. */
export const openAuditLog = (file: string): AuditLog => ({
  mark: () => statSync(file).size,
  since: (mark) => {
    const bytes = readFileSync(file).subarray(mark)
    // The last line may be half written.
    return bytes
      .subarray(0, bytes.lastIndexOf(10) + 1)
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .flatMap(entryOf)
  },
})
