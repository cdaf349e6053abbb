import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

it('ends quietly when whoever reads its output has seen enough', () => {
  const main = join(import.meta.dirname, 'main.ts')
  // The reader has gone before the first byte comes: the shell's own status is that of xrayctl.
  const script = `{ "$0" "$1" explain 3>&-; echo "ended with $?" >&3; } 3>&2 | :`
  const { stderr } = spawnSync('sh', ['-c', script, process.execPath, main], { encoding: 'utf8' })
  expect(stderr).toBe('ended with 0\n')
})
