import { run, succeeds } from './command.ts'

/** Debian packages that the local cluster's parts are built with and run on. */
const PACKAGES = [
  'buildah',
  'ca-certificates',
  'conntrack',
  'containernetworking-plugins',
  'debootstrap',
  'gcc',
  'iproute2',
  'iptables',
  'libc6-dev',
  'libseccomp-dev',
  'mount',
  'openssl',
  'pkg-config',
]

const missingOf = async (): Promise<string[]> => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query fills these in
  const installed = await run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n'])
  const names = new Set(
    installed.split('\n').flatMap((line) => (line.endsWith(' installed') ? [line.split(' ')[0]] : [])),
  )
  return PACKAGES.filter((name) => !names.has(name))
}

/** Installs the Debian packages that are missing. */
export const ensurePackages = async (): Promise<string> => {
  const missing = await missingOf()
  if (missing.length === 0) return 'all there'
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-q'], { env })
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...missing], { env })
  return `installed ${missing.join(', ')}`
}

/** @throws Error that says in a sentence why this machine cannot carry the cluster */
export const assertMachine = async (): Promise<string> => {
  if (process.getuid?.() !== 0)
    throw new Error(
      'the local cluster needs root: containers, mounts and iptables. Run as root, or set XRAY_KUBECONTEXT to use a cluster that you have.',
    )
  if (!(await succeeds('dpkg-query', ['-W', 'dpkg'])))
    throw new Error(
      'the local cluster is built from Debian packages: expected Debian 12. Elsewhere set XRAY_KUBECONTEXT to use a cluster that you have.',
    )
  const version = await run('go', ['version']).catch(() => '')
  const minor = Number(/go1\.([0-9]+)/.exec(version)?.[1] ?? 0)
  if (minor < 26) throw new Error(`expected Go 1.26 or newer on PATH, got "${version.trim() || 'no go'}".`)
  return version.trim()
}
