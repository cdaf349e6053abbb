import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** The files of the checkout that are tracked, or new and not ignored. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '')

type Rule = {
  name: string
  breaks: (file: string, text: () => string) => boolean
  example: [file: string, text: string]
}

const lines = (text: string): number => text.split('\n').length - 1
const isSource = (file: string): boolean => /^(services|operator|k8s)\/.*\.ts$/.test(file) && !file.endsWith('.test.ts')

const RULES: Rule[] = [
  {
    name: 'no file or folder is a grab bag',
    breaks: (file) => /(^|\/)(utils?|helpers?|common|misc|lib|shared)(\/|\.ts$)/.test(file),
    example: ['services/runtime/utils.ts', ''],
  },
  {
    name: 'a main.ts wires, in under 60 lines',
    breaks: (file, text) => isSource(file) && file.endsWith('/main.ts') && lines(text()) >= 60,
    example: ['services/api/main.ts', '\n'.repeat(60)],
  },
  {
    name: 'a source has at most 250 lines',
    breaks: (file, text) => isSource(file) && lines(text()) > 250,
    example: ['services/api/query.ts', '\n'.repeat(251)],
  },
  {
    name: 'every test runs, and only once',
    breaks: (file, text) =>
      file.endsWith('.test.ts') && /\b(it|test|describe)\.(skip|only|todo|fails)\b|\bretry: *[1-9]/.test(text()),
    example: ['services/api/query.test.ts', 'it.skip()'.replace('skip', 'only')],
  },
  {
    name: 'types are never switched off',
    breaks: (file, text) =>
      file.endsWith('.ts') &&
      /@ts-(ignore|nocheck|expect-error)|\bas any\b/.test(text().replaceAll(/`.*`|\/.*\//g, '')),
    example: ['services/api/query.ts', '// @ts-ignore'],
  },
]

describe.each(RULES)('$name', ({ breaks, example: [file, text] }) => {
  it('in every file of the checkout', () =>
    expect(
      files.filter(
        (path) => path !== 'tests/architecture/layout.test.ts' && breaks(path, () => readFileSync(path, 'utf8')),
      ),
    ).toEqual([]))
  it('and the rule fires', () => expect(breaks(file, () => text)).toBe(true))
})

it('the packages that the lockfile names come from whatever registry the machine uses', () =>
  expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"'))
