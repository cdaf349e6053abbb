import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { EXIT } from './failure.ts'

it('docs/cli.md tells every exit code, and no other', () => {
  const told = [...readFileSync('docs/cli.md', 'utf8').matchAll(/^\| ([0-9]+) \|/gm)].map(([, code]) => Number(code))
  expect(told).toEqual(Object.values(EXIT))
})
