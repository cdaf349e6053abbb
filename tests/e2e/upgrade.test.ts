import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ctr } from '../../k8s/local/node.ts'
import { CHECKOUT, KUBECONFIG } from '../../k8s/local/paths.ts'
import { helm } from '../../k8s/local/product.ts'
import { kubectl, read } from './cluster.ts'
import { apply, conditionHolds, manifest, remove } from './pipeline.ts'

const NAME = 'e2e-upgrade'
const OPERATOR = ['deployment/xray-operator', '-n', 'xray-system']
const NEWER = 'localhost/xrayiot:newer'
const RELEASE = ['xray-operator', '--namespace', 'xray-system', '--kubeconfig', KUBECONFIG]

const rolledOut = (): Promise<string> => kubectl(['rollout', 'status', ...OPERATOR, '--timeout=300s'])

/** Upgrades the operator as its users do: by its chart, to another release. */
const upgrade = async (): Promise<void> => {
  const [release, namespace] = [RELEASE.slice(0, 1), RELEASE.slice(1)]
  const image = ['--set-string', 'image.tag=newer', '--set-string', 'image.digest=']
  const chart = join(CHECKOUT, 'charts/xray-operator')
  await helm(['upgrade', ...release, chart, ...namespace, '--reset-then-reuse-values', ...image])
  await rolledOut()
}
const goBack = async (): Promise<void> => {
  await helm(['rollback', ...RELEASE])
  await rolledOut()
}
const operatorImage = async (): Promise<string> => (await read(...OPERATOR)).spec.template.spec.containers[0].image

beforeAll(async () => {
  // The same build under another name is another release to whoever compares names.
  await ctr('images', 'tag', '--force', await operatorImage(), NEWER)
  await apply(manifest(NAME))
  await conditionHolds(NAME, 'Ready', 'True')
})
afterAll(async () => {
  if ((await operatorImage()) === NEWER) await goBack()
  await ctr('images', 'rm', NEWER)
  await remove(NAME)
})

const pods = async (): Promise<string[]> => {
  const { items } = await read('pods', '-n', 'xray', '-l', `app.kubernetes.io/managed-by=xray-operator`)
  type Pod = { metadata: { uid: string; labels: Record<string, string> } }
  // Of signals there are as many as the queue needs just now.
  return (items as Pod[])
    .filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'] !== 'signals')
    .map(({ metadata }) => metadata.uid)
    .sort()
}

it('an upgrade of the operator restarts no pod, and says that the pods are of a former release', async () => {
  const before = await pods()
  expect(before.length).toBeGreaterThanOrEqual(4)
  await upgrade()
  await conditionHolds(NAME, 'UpToDate', 'False', 'FormerRelease')
  await conditionHolds(NAME, 'Ready', 'True')
  expect(await pods()).toEqual(before)
  await goBack()
  await conditionHolds(NAME, 'UpToDate', 'True')
  expect(await pods()).toEqual(before)
})
