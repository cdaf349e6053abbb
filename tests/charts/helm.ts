import { spawnSync } from 'node:child_process'
import { parseAllDocuments } from 'yaml'
import { binary } from '../../k8s/local/tools.ts'
import type { Rendered } from './rules.ts'

export const HELMS = ['helm', 'helm3'] as const

/** Helm with the charts of a folder. The tools must be there (`ensureTool`). */
export const helmIn = (folder: string) => {
  const helm = (tool: (typeof HELMS)[number], ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(binary(tool, 'helm'), args, { encoding: 'utf8', cwd: folder })
    return { ok: status === 0, out: stdout, text: `${stdout}${stderr}` }
  }
  /** What a chart makes in namespace `xray`. @throws Error with what helm says when it makes nothing */
  const render = (tool: (typeof HELMS)[number], chart: string, ...args: string[]): Rendered[] => {
    const { ok, out, text } = helm(
      tool,
      'template',
      chart === 'xray-platform' ? 'xray' : chart.startsWith('xray-') ? chart : `xray-${chart}`,
      chart,
      '--namespace',
      'xray',
      '--kube-version=v1.36.3', // a helm built by "go build" takes itself for one of Kubernetes 1.20
      ...args,
    )
    if (!ok) throw new Error(text)
    return parseAllDocuments(out).flatMap((document) => (document.toJS() === null ? [] : [document.toJS() as Rendered]))
  }
  return { helm, render }
}
