import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { applyAddons } from './addons.ts'
import { controlPlane } from './control-plane.ts'
import { ensureDebian, ensureImages, ensureImported } from './images.ts'
import { ensureNetwork } from './network.ts'
import { node } from './node.ts'
import { assertMachine, ensurePackages } from './packages.ts'
import { CHECKOUT, RUN, STATE } from './paths.ts'
import { ensurePki } from './pki.ts'
import { assertPortsFree, CLUSTER_PORTS } from './ports.ts'
import { ensureProcess, type ProcessSpec, runningProcesses } from './processes.ts'
import { runSteps, type Step } from './progress.ts'
import { ensureClusterTools } from './tools.ts'

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
  // The root file system is downloaded while the compiler keeps the cores busy.
  const [tools, debian] = await Promise.all([ensureClusterTools(), ensureDebian()])
  return `tools ${tools}; Debian ${debian}`
}

const clusterSteps: Step[] = [
  { title: 'Check this machine', run: assertMachine },
  { title: 'Install Debian packages', run: ensurePackages },
  { title: 'Check ports', run: claimMachine },
  { title: 'Build Kubernetes and its tools (first time about 8 minutes)', run: buildAll },
  { title: 'Build images', run: ensureImages },
  { title: 'Make certificates', run: ensurePki },
  { title: 'Lay the network', run: ensureNetwork },
  { title: 'Start the control plane', run: () => startAll(controlPlane()) },
  { title: 'Start the node', run: () => startAll(node()) },
  { title: 'Hand images to the node', run: ensureImported },
  { title: 'Apply add-ons', run: applyAddons },
]

try {
  await runSteps(clusterSteps, console.log)
} catch (error) {
  console.error(`\nnpm start stopped: ${(error as Error).message}`)
  process.exitCode = 1
}
