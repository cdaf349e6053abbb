import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, succeeds } from './command.ts'
import { BRIDGE, BRIDGE_ADDRESS, POD_CIDR, RUN, STATE } from './paths.ts'

export const CNI_CONFIG = join(STATE, 'cni')

const CONFLIST = {
  cniVersion: '1.0.0',
  name: 'xray',
  plugins: [
    {
      type: 'bridge',
      bridge: BRIDGE,
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: POD_CIDR }]],
        routes: [{ dst: '0.0.0.0/0' }],
        dataDir: join(RUN, 'ipam'),
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
}

/** The bridge comes before the API server, which advertises its address to the pods. */
export const ensureNetwork = async (): Promise<string> => {
  mkdirSync(CNI_CONFIG, { recursive: true })
  writeFileSync(join(CNI_CONFIG, '10-xray.conflist'), JSON.stringify(CONFLIST))
  if (!(await succeeds('ip', ['link', 'show', BRIDGE]))) await run('ip', ['link', 'add', BRIDGE, 'type', 'bridge'])
  if (!(await run('ip', ['-4', 'addr', 'show', BRIDGE])).includes(BRIDGE_ADDRESS))
    await run('ip', ['addr', 'add', `${BRIDGE_ADDRESS}/16`, 'dev', BRIDGE])
  await run('ip', ['link', 'set', BRIDGE, 'up'])
  for (const [name, value] of [
    ['net/ipv4/ip_forward', '1'],
    ['net/ipv4/conf/all/route_localnet', '1'],
  ] as const)
    writeFileSync(join('/proc/sys', name), value)
  return `${BRIDGE} ${BRIDGE_ADDRESS}/16`
}

/** The rules of a table that are not ours: chains that kube-proxy, kubelet and the CNI plug-ins made are left out. */
export const withoutClusterRules = (saved: string): string =>
  saved
    .split('\n')
    .filter((line) => !/^(:|-A |-N )(KUBE-|CNI-)|-j (KUBE-|CNI-)|xrayiot/.test(line))
    .join('\n')

/** Takes bridge, devices and rules away. What others put into iptables stays as it is. */
export const removeNetwork = async (): Promise<string> => {
  for (const family of ['iptables', 'ip6tables']) {
    const saved = await run(`${family}-save`, []).catch(() => '')
    if (/KUBE-|CNI-/.test(saved)) await run(`${family}-restore`, [], { input: `${withoutClusterRules(saved)}\n` })
  }
  if (await succeeds('ip', ['link', 'show', BRIDGE])) await run('ip', ['link', 'delete', BRIDGE])
  return `${BRIDGE} and the chains KUBE-* and CNI-*`
}
