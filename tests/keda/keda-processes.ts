import { join } from 'node:path'
import {
  EXTERNAL_METRICS_PATH,
  ensureKedaCertificates,
  KEDA_NAMESPACE,
  KEDA_SERVICE,
  kedaAdapterArguments,
  kedaApiService,
  kedaDefinitions,
  kedaEnvironment,
  kedaOperatorArguments,
  kedaOperatorReady,
} from '../../k8s/local/keda.ts'
import { binary, ensureTool } from '../../k8s/local/tools.ts'
import type { ControlPlane } from '../operator/control-plane.ts'
import { startPlaneProcess } from '../operator/plane-process.ts'
import { must } from '../stand/condition.ts'
import { freePort } from '../stand/service-process.ts'

/** KEDA's own operator and metrics adapter, as processes beside a light control plane. */
export type Keda = { close: () => Promise<void> }

/**
 * Makes KEDA's kinds and registers its metrics with the API server. Without kube-proxy a Service leads nowhere, so this
 * one is another name of this machine, and its port that of the adapter.
 */
const register = async ({ api, folder }: ControlPlane, port: number): Promise<void> => {
  for (const definition of await kedaDefinitions())
    await api.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
  await api.call('POST', '/api/v1/namespaces', { metadata: { name: KEDA_NAMESPACE } })
  await api.call('POST', `/api/v1/namespaces/${KEDA_NAMESPACE}/services`, {
    metadata: { name: KEDA_SERVICE },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
  })
  await api.call('POST', '/apis/apiregistration.k8s.io/v1/apiservices', kedaApiService(folder, port))
}

/**
 * Installs KEDA and waits until its metrics are served. Its binaries are built the first time, which takes minutes.
 * @throws Error with the end of the log of what did not start
 */
export const startKeda = async (plane: ControlPlane): Promise<Keda> => {
  await ensureTool('keda')
  const { api, folder } = plane
  const place = {
    kubeconfig: join(folder, 'admin.kubeconfig'),
    certificates: await ensureKedaCertificates(folder),
    adapterAddress: '127.0.0.1',
    ports: {
      metricsService: await freePort(),
      operatorMetrics: await freePort(),
      health: await freePort(),
      adapter: await freePort(),
      adapterMetrics: await freePort(),
    },
  }
  await register(plane, place.ports.adapter)
  const operator = await startPlaneProcess(
    folder,
    'keda-operator',
    binary('keda', 'operator'),
    kedaOperatorArguments(place),
    () => kedaOperatorReady(place),
    kedaEnvironment(place),
  )
  const adapter = await startPlaneProcess(
    folder,
    'keda-adapter',
    binary('keda', 'adapter'),
    kedaAdapterArguments(place),
    async () => true, // the API server tells below
    kedaEnvironment(place),
  ).catch(async (error: Error) => {
    await operator.kill()
    throw error
  })
  const close = async (): Promise<void> => {
    await adapter.kill()
    await operator.kill()
  }
  await must(`KEDA's metrics to be served (logs: ${folder})`, 90_000, async () =>
    (await api.ask('GET', EXTERNAL_METRICS_PATH)).status === 200 ? true : undefined,
  ).catch(async (error: Error) => {
    await close()
    throw error
  })
  return { close }
}
