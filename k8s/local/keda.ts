import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { run } from './command.ts'
import { moduleOf } from './tools.ts'

type Definition = { metadata: { name: string }; spec: { group: string; names: { plural: string } } }

/** The folder of KEDA's own sources, of the version that `tools/keda` names; fetched when it is not there yet. */
export const kedaSources = async (): Promise<string> => {
  const told = await run('go', ['mod', 'download', '-json', 'github.com/kedacore/keda/v2'], { cwd: moduleOf('keda') })
  return (JSON.parse(told) as { Dir: string }).Dir
}

/** KEDA's CRDs, as its release has them: its operator starts only when all are there. */
export const kedaDefinitions = async (): Promise<Definition[]> => {
  const folder = join(await kedaSources(), 'config/crd/bases')
  return readdirSync(folder).map((file) => parse(readFileSync(join(folder, file), 'utf8')) as Definition)
}
