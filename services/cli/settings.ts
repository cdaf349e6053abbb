/** Where a value comes from, nearest first: a flag, the environment, or a default. */
export type Setting = { value: string; source: 'flag' | 'environment' | 'default' }

const DEFAULTS = {
  api: ['XRAY_API', 'http://127.0.0.1:30080'],
  ingest: ['XRAY_INGEST', 'http://127.0.0.1:30081'],
  namespace: ['XRAY_NAMESPACE', 'xray'],
  pipeline: ['XRAY_PIPELINE', 'leipzig'],
  token: ['XRAY_TOKEN', ''],
  deviceKey: ['XRAY_DEVICE_KEY', ''],
  kubeconfig: ['KUBECONFIG', ''],
} as const satisfies Record<string, readonly [string, string]>

export type SettingName = keyof typeof DEFAULTS
export type Settings = Record<SettingName, Setting>

/**
 * Finds every setting.
 * @param localKubeconfig that of the local cluster, when there is one; used when none is named
 */
export const findSettings = (
  flags: Partial<Record<SettingName, string>>,
  env: Record<string, string | undefined>,
  localKubeconfig: string | undefined,
): Settings => {
  const find = (name: SettingName): Setting => {
    const [variable, fallback] = DEFAULTS[name]
    if (flags[name] !== undefined) return { value: flags[name], source: 'flag' }
    const set = env[variable]
    if (set !== undefined && set !== '') return { value: set, source: 'environment' }
    return { value: name === 'kubeconfig' ? (localKubeconfig ?? '') : fallback, source: 'default' }
  }
  return Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, find(name as SettingName)])) as Settings
}

/** A setting as `config view` shows it: secrets only by their being there. */
export const shownSetting = (name: SettingName, { value }: Setting): string =>
  name === 'token' || name === 'deviceKey'
    ? value === ''
      ? 'from the Secret of the pipeline'
      : 'set'
    : value || 'the usual one'
