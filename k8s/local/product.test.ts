import { describe, expect, it } from 'vitest'
import { operatorValues } from './product.ts'

const IMAGE = [
  '--reset-then-reuse-values',
  '--set-string',
  'image.registry=',
  '--set-string',
  'image.repository=localhost:5000/xrayiot',
  '--set-string',
  'image.tag=ab12',
  '--set-string',
  'image.digest=',
]
const ONE = ['--set', 'replicas=1']

describe("what npm start sets of the operator's release", () => {
  it.each<[string, boolean, object | null, string[]]>([
    ['one replica on the local cluster at first', true, null, [...IMAGE, ...ONE]],
    ['one replica when nobody has said how many', true, { logLevel: 'debug' }, [...IMAGE, ...ONE]],
    ['no replicas when they are set', true, { replicas: 3, logLevel: 'debug' }, IMAGE],
    ['no replicas when there shall be none', true, { replicas: 0 }, IMAGE],
    ['no replicas elsewhere', false, null, IMAGE],
  ])('is its image and %s', (_, local, kept, expected) =>
    expect(operatorValues('localhost:5000/xrayiot:ab12', local, kept)).toEqual(expected),
  )
})
