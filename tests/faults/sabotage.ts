import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CHECKOUT } from '../../k8s/local/paths.ts'

/** One exact piece of a module's source and what stands in its place in a process that is sabotaged. */
export type Edit = { file: string; from: string; to: string }

/** @throws Error when the text does not stand in the file exactly once: then the edit must follow the source */
const assertApplies = ({ file, from }: Edit): void => {
  const count = readFileSync(join(CHECKOUT, file), 'utf8').split(from).length - 1
  if (count !== 1) throw new Error(`expected ${JSON.stringify(from)} once in ${file}, found it ${count} times`)
}

/**
 * NODE_OPTIONS that make a process load edited sources: a data URL, because it must also reach a process in a pod.
 * @param killAt how often a kill point is reached before it kills
 * @throws Error when an edit does not apply to the checkout
 */
export const toNodeOptions = (edits: readonly Edit[], killAt: number): string => {
  for (const edit of edits) assertApplies(edit)
  const module = `
import { registerHooks } from 'node:module'
const edits = ${JSON.stringify(edits)}
let left = ${killAt}
globalThis.killHere = () => { if (--left === 0) process.kill(process.pid, 'SIGKILL') }
registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context)
    const own = edits.filter(({ file }) => url.endsWith('/' + file))
    if (own.length === 0) return loaded
    let source = loaded.source.toString()
    for (const { from, to } of own) {
      if (source.split(from).length !== 2) throw new Error('an edit does not apply to ' + url)
      source = source.replace(from, () => to)
    }
    return { ...loaded, source }
  },
})`
  return `--import=data:text/javascript,${encodeURIComponent(module)}`
}
