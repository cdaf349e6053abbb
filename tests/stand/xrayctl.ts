import { KubeConfig } from '@kubernetes/client-node'
import { runCommandLine } from '../../services/cli/arguments.ts'
import { openCluster } from '../../services/cli/cluster.ts'
import { Failure } from '../../services/cli/failure.ts'
import { openKube } from '../../services/cli/kube.ts'
import { findSettings } from '../../services/cli/settings.ts'

export const NOW = Date.parse('2026-03-01T12:00:00Z')

/**
 * Runs xrayctl against an API server, with a clock that moves by waiting only.
 * @param enough when the user has seen enough, and interrupts
 */
export const runXrayctl = async (
  argv: string[],
  server: string,
  { interrupted = new AbortController(), enough = (_: string): boolean => false } = {},
) => {
  const [out, told, written]: [string[], string[], Map<string, Buffer>] = [[], [], new Map()]
  let nowMs = NOW
  const unplanned = () => {
    throw new Error('unplanned')
  }
  const config = new KubeConfig()
  config.loadFromClusterAndUser({ name: 'fake', server, skipTLSVerify: true }, { name: 'tester' })
  const exit = await runCommandLine(argv, (flags) => {
    const settings = findSettings(flags, {}, undefined)
    const cluster = openCluster(settings, openKube(config))
    return {
      settings,
      cluster: () => cluster,
      out: (data) => {
        out.push(String(data))
        if (enough(out.join('\n'))) interrupted.abort()
      },
      tell: (line) => void told.push(line),
      print: unplanned,
      read: unplanned,
      write: async (file, bytes) => void written.set(file, bytes),
      input: process.stdin,
      now: () => nowMs,
      nonce: unplanned,
      delay: async (ms: number) => {
        nowMs += ms
        // Lets what the API server sends come in between.
        await new Promise((resolve) => setImmediate(resolve))
      },
      signal: interrupted.signal,
      nodeVersion: 'v24.0.0',
      screen: false,
      colour: false,
      terminal: { interactive: false, draw: unplanned, confirm: unplanned },
    }
  }).catch((error: Error) => {
    if (!(error instanceof Failure)) throw error
    told.push(error.message)
    return error.exit
  })
  return { exit, out: out.join('\n'), told: told.join('\n'), written }
}
