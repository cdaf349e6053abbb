import { expect, it } from 'vitest'
import { kubectl } from './cluster.ts'

const OPERATOR = '--as=system:serviceaccount:xray-system:xray-operator'

/** `kubectl auth can-i` ends with code 1 when the answer is no. */
const may = (...question: string[]): Promise<string> =>
  kubectl(['auth', 'can-i', ...question, OPERATOR]).then(
    () => 'yes',
    (error: Error) => (/\bno\b/.test(error.message) ? 'no' : error.message),
  )

it.each([
  ['yes', ['patch', 'deployments.apps', '-n', 'xray']],
  ['yes', ['get', 'secrets/xray-rabbitmq', '-n', 'xray']],
  ['no', ['list', 'secrets', '-n', 'xray']],
  ['no', ['watch', 'secrets', '-A']],
  ['no', ['deletecollection', 'secrets', '-n', 'xray']],
  ['no', ['patch', 'secrets', '-n', 'xray']],
  ['no', ['delete', 'xraypipelines.xrayiot.dev', '-n', 'xray']],
  ['no', ['create', 'pods', '-n', 'xray']],
  ['no', ['create', 'pods/exec', '-n', 'xray']],
  ['no', ['create', 'clusterroles.rbac.authorization.k8s.io']],
  ['no', ['get', 'nodes']],
  ['no', ['*', '*', '-A']],
])('of the operator: %s, it may%j', async (answer, question) => expect(await may(...question)).toBe(answer))
