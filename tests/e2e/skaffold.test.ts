import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { KUBECONFIG } from '../../k8s/local/paths.ts'
import { binary, ensureTool } from '../../k8s/local/tools.ts'
import { kubectl, read } from './cluster.ts'
import { conditionHolds } from './pipeline.ts'

/** skaffold calls helm and kubectl by name; 2.16 speaks Helm 3. Its cache and its settings stay out of the user's. */
const skaffold = (...args: string[]) => {
  const path = [dirname(binary('helm3', 'helm')), dirname(binary('kubernetes', 'kubectl')), process.env.PATH].join(':')
  const run = spawnSync(binary('skaffold', 'skaffold'), [...args, '--interactive=false', '--update-check=false'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path, KUBECONFIG },
  })
  return { ok: run.status === 0, text: `${run.stdout}${run.stderr}` }
}

beforeAll(async () => {
  for (const tool of ['skaffold', 'helm3'] as const) await ensureTool(tool)
}, 900_000)

it('skaffold.yaml is one that skaffold understands', () => {
  const { ok, text } = skaffold('diagnose', '--yaml-only')
  expect(ok, text).toBe(true)
  expect(text).toContain('xray-operator')
})

it('skaffold deploys the charts with a given image, and the sample is ready', async () => {
  const [container] = (await read('deployment', 'xray-operator', '-n', 'xray-system')).spec.template.spec.containers
  // Helm 3 does not take over what another client owns by server-side apply, so it starts from nothing; data and
  // passwords are kept by the charts.
  for (const [release, namespace] of [
    ['xray-operator', 'xray-system'],
    ['xray-redis', 'xray'],
    ['xray-mongodb', 'xray'],
    ['xray-rabbitmq', 'xray'],
  ] as const)
    expect(
      spawnSync(binary('helm', 'helm'), [
        'uninstall',
        release,
        '--namespace',
        namespace,
        '--kubeconfig',
        KUBECONFIG,
        '--wait',
      ]).status,
    ).toBe(0)
  const { ok, text } = skaffold(
    'deploy',
    '--profile=local',
    '--images',
    `xrayiot=${container.image}`,
    '--kube-context=xray-local',
    '--load-images=false',
    '--status-check=false',
  )
  expect(ok, text).toBe(true)
  await kubectl(['rollout', 'status', 'deployment/xray-operator', '-n', 'xray-system', '--timeout=300s'])
  await conditionHolds('leipzig', 'Ready', 'True')
})
