import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './command.ts'
import { CACHE } from './paths.ts'

const STAMP = 'v1.36.3'
const STAMPS = [
  `-X k8s.io/component-base/version.gitVersion=${STAMP}`,
  '-X k8s.io/component-base/version.gitMajor=1',
  '-X k8s.io/component-base/version.gitMinor=36',
  `-X k8s.io/client-go/pkg/version.gitVersion=${STAMP}`,
]

/** Each is a Go module of its own under `tools/`, because their dependencies clash; `go build tool` makes its binaries. */
const CLUSTER_TOOLS = [
  'kubernetes',
  'etcd',
  'containerd',
  'runc',
  'coredns',
  'local-path-provisioner',
  'ferretdb',
  'helm',
] as const
/** What the cluster itself does not need is built when it is first asked for. */
export type Tool = (typeof CLUSTER_TOOLS)[number] | 'helm3' | 'skaffold' | 'otelcol' | 'keda'

/** The folder of a tool's Go module. */
export const moduleOf = (tool: Tool): string => join(import.meta.dirname, 'tools', tool)

/** Only a change of versions, or of what we wrote ourselves, makes another folder: a rebuild is due exactly then. */
const folderOf = (tool: Tool): string => {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum', 'main.go']) {
    const path = join(moduleOf(tool), file)
    if (existsSync(path)) hash.update(readFileSync(path))
  }
  return join(CACHE, 'tools', `${tool}-${hash.digest('hex').slice(0, 16)}`)
}

/** The path of a built binary: `binary('kubernetes', 'kubectl')`. */
export const binary = (tool: Tool, name: string): string => join(folderOf(tool), name)

/** Builds a tool unless it is in the cache; a half-built one never is, since the folder appears by one rename. */
export const ensureTool = async (tool: Tool): Promise<'built' | 'cached'> => {
  const folder = folderOf(tool)
  if (existsSync(folder)) return 'cached'
  const building = `${folder}.building`
  rmSync(building, { recursive: true, force: true })
  mkdirSync(building, { recursive: true })
  const cgo = tool === 'runc' // libseccomp is a C library
  const flags = ['-trimpath', '-ldflags', ['-s -w', ...(tool === 'kubernetes' ? STAMPS : [])].join(' ')]
  const env = { ...process.env, CGO_ENABLED: cgo ? '1' : '0', GOFLAGS: '-buildvcs=false' }
  await run('go', ['build', ...flags, ...(cgo ? ['-tags', 'seccomp'] : []), '-o', `${building}/`, 'tool'], {
    cwd: moduleOf(tool),
    env,
  })
  renameSync(building, folder)
  return 'built'
}

/** Builds what the cluster needs, one after the other: each build alone keeps all cores busy. */
export const ensureClusterTools = async (): Promise<string> => {
  const built: Tool[] = []
  for (const tool of CLUSTER_TOOLS) if ((await ensureTool(tool)) === 'built') built.push(tool)
  return built.length === 0 ? 'all in the cache' : `built ${built.join(', ')}`
}
