import { afterAll, beforeAll, expect, it } from 'vitest'
import { kubectl, read } from './cluster.ts'
import { apply, conditionHolds, manifest, remove } from './pipeline.ts'

const NAME = 'e2e-upgrade'
const OPERATOR = ['deployment/xray-operator', '-n', 'xray-system']

/** Has the operator take a release image for its own, as an upgrade of its chart does. */
const release = async (image: string): Promise<void> => {
  await kubectl(['set', 'env', ...OPERATOR, `PIPELINE_IMAGE=${image}`])
  await kubectl(['rollout', 'status', ...OPERATOR, '--timeout=120s'])
}

let image: string
beforeAll(async () => {
  const [container] = (await read(...OPERATOR)).spec.template.spec.containers
  image = container.image
  await apply(manifest(NAME))
  await conditionHolds(NAME, 'Ready', 'True')
})
afterAll(async () => {
  await release(image)
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
  await release('localhost/xrayiot:newer')
  await conditionHolds(NAME, 'UpToDate', 'False', 'FormerRelease')
  await conditionHolds(NAME, 'Ready', 'True')
  expect(await pods()).toEqual(before)
  await release(image)
  await conditionHolds(NAME, 'UpToDate', 'True')
  expect(await pods()).toEqual(before)
})
