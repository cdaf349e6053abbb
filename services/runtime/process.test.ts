import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

/** A process whose start says `starting` and then does what is given, for ever or until it is done. */
const run = (start: string) => {
  const source = `
    import { runProcess } from ${JSON.stringify(resolve('services/runtime/process.ts'))}
    setInterval(() => undefined, 1000)
    await runProcess('test', {}, () => ({ LOG_LEVEL: 'info' }), async () => { console.log('starting'); ${start} })`
  return spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
}

it.each([
  ['while it starts', 'await new Promise(() => undefined)'],
  ['once it has started', "return [['tell', () => console.log('ending')]]"],
])('a process that is told to end %s ends with 0', async (_, start) => {
  const child = run(start)
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})
