import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { applyAddons } from './addons.ts'
import { endCommands, run } from './command.ts'
import { controlPlane, kubectl } from './control-plane.ts'
import { fleet } from './fleet.ts'
import {
  ensureDebian,
  ensureImported,
  ensurePackageImages,
  ensureProjectImage,
  ensureToolImages,
  projectImage,
} from './images.ts'
import { ensureKeda, withdrawKeda } from './keda-cluster.ts'
import { ensureNetwork } from './network.ts'
import { node } from './node.ts'
import { assertMachine, ensurePackages } from './packages.ts'
import { CHECKOUT, KUBECONFIG, PORTS, RUN, STATE } from './paths.ts'
import { ensurePki } from './pki.ts'
import { assertPortsFree, CLUSTER_PORTS } from './ports.ts'
import { ensureProcess, type ProcessSpec, runningProcesses } from './processes.ts'
import { dataServicesReady, installCharts, sampleReady, type Target } from './product.ts'
import { runSteps, type Step } from './progress.ts'
import { ensurePrometheus, PROMETHEUS } from './prometheus.ts'
import { ensureClusterTools, ensureTool } from './tools.ts'

/** A machine carries one local cluster: its ports, bridge and rules are the machine's. */
const claimMachine = async (): Promise<string> => {
  mkdirSync(join(RUN, 'pids'), { recursive: true })
  mkdirSync(STATE, { recursive: true })
  const owner = join(RUN, 'checkout')
  const other = existsSync(owner) ? readFileSync(owner, 'utf8') : CHECKOUT
  const running = runningProcesses()
  if (other !== CHECKOUT && running.length > 0)
    throw new Error(`the local cluster of ${other} runs on this machine; run "npm stop" there first`)
  writeFileSync(owner, CHECKOUT)
  if (running.length === 0) assertPortsFree(CLUSTER_PORTS)
  return running.length === 0 ? 'free' : `${running.length} processes of the cluster run already`
}

const startAll = async (specs: ProcessSpec[]): Promise<string> => {
  const started: string[] = []
  for (const spec of specs) if ((await ensureProcess(spec)) === 'started') started.push(spec.name)
  return started.length === 0 ? 'running' : `started ${started.join(', ')}`
}

const buildAll = async (): Promise<string> => {
  // Packages are downloaded and unpacked while the compiler keeps the cores busy.
  const [tools, images] = await Promise.all([ensureClusterTools(), ensureDebian().then(ensurePackageImages)])
  return `tools ${tools}; images of packages ${images}`
}

const clusterSteps: Step[] = [
  { title: 'Check this machine', run: assertMachine },
  { title: 'Install Debian packages', run: ensurePackages },
  { title: 'Check ports', run: claimMachine },
  { title: 'Build Kubernetes and its tools (first time about 12 minutes)', run: buildAll },
  { title: 'Build images', run: ensureToolImages },
  { title: 'Make certificates', run: ensurePki },
  { title: 'Lay the network', run: ensureNetwork },
  { title: 'Start the control plane', run: () => startAll(controlPlane()) },
  { title: 'Start the node', run: () => startAll(node()) },
  { title: 'Hand images to the node', run: ensureImported },
  { title: 'Apply add-ons', run: () => withdrawKeda().then(applyAddons) },
]

const local: Target = { kubectl, helmArguments: ['--kubeconfig', KUBECONFIG], local: true }

/** A cluster that the user has: nothing of it is built here, and its images come from a registry. */
const existing = (context: string): Target => ({
  kubectl: (args, input) => run('kubectl', ['--context', context, ...args], input === undefined ? {} : { input }),
  helmArguments: ['--kube-context', context],
  local: false,
})

const productSteps = (target: Target, image: string): Step[] => [
  {
    title: `Build the image ${image}`,
    run: async () =>
      target.local ? ensureProjectImage(image) : 'given; it must be in a registry that the cluster reaches',
  },
  { title: 'Install the charts', run: () => installCharts(target, image) },
  { title: 'Wait for the data services and the operator', run: () => dataServicesReady(target) },
  { title: 'Apply the sample pipeline', run: () => sampleReady(target, image) },
]

const afterwards = `
  API      http://127.0.0.1:${PORTS.api}/api/signals     (with the token below)
  ingest   http://127.0.0.1:${PORTS.ingest}/v1/ingest
  RabbitMQ http://127.0.0.1:${PORTS.management}                 (user and password: Secret xray-rabbitmq)
  Prometheus ${PROMETHEUS}
  kubeconfig ${KUBECONFIG}
  token    kubectl --kubeconfig .xray/kubeconfig -n xray get secret leipzig-keys -o go-template='{{index .data "api-admin-token"|base64decode}}'

Next:
  npm run xrayctl -- status
  npm run xrayctl -- signals list
  npm stop`

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    endCommands()
    console.error('\nnpm start was interrupted; run it again to go on')
    process.exit(130)
  })

/** What the local cluster has only when it is asked for. */
const EXTRAS: Record<string, Step> = {
  keda: { title: 'Start KEDA (first time some minutes)', run: ensureKeda },
}

/** @throws Error that names what cannot be asked for */
const extraSteps = (): Step[] => {
  const { values } = parseArgs({ options: { with: { type: 'string', multiple: true, default: [] } } })
  return values.with.map((name) => {
    const step = EXTRAS[name]
    if (step === undefined) throw new Error(`--with: expected ${Object.keys(EXTRAS).join(' or ')}, got "${name}"`)
    return step
  })
}

const context = process.env.XRAY_KUBECONTEXT
try {
  const extras = extraSteps()
  if (context !== undefined && extras.length > 0)
    throw new Error('--with adds to the local cluster, and XRAY_KUBECONTEXT names another one: leave out either')
  if (context === undefined) {
    const image = await projectImage()
    const fleetStep = {
      title: 'Start 20 simulated devices',
      run: async () => `${await ensureProcess(fleet)}, log in .xray/log/fleet.log`,
    }
    const prometheusStep = { title: 'Start Prometheus', run: ensurePrometheus }
    await runSteps([...clusterSteps, ...productSteps(local, image), prometheusStep, ...extras, fleetStep], console.log)
    console.log(afterwards)
  } else {
    const image = process.env.XRAY_IMAGE
    if (image === undefined)
      throw new Error(
        'XRAY_KUBECONTEXT is set, so XRAY_IMAGE must name the image to run, such as registry.example/xrayiot:0.1.0, built by "docker build --target runtime ."',
      )
    await runSteps(
      [{ title: 'Build helm', run: () => ensureTool('helm') }, ...productSteps(existing(context), image)],
      console.log,
    )
    console.log('\nNext:\n  kubectl get xrp -n xray\n  npm run xrayctl -- status')
  }
} catch (error) {
  console.error(`\nnpm start stopped: ${(error as Error).message}`)
  process.exitCode = 1
}
