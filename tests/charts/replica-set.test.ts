import { runInNewContext } from 'node:vm'
import { beforeAll, expect, it } from 'vitest'
import { ensureTool } from '../../k8s/local/tools.ts'
import { helmIn } from './helm.ts'
import type { Rendered } from './rules.ts'

beforeAll(() => ensureTool('helm'), 600_000)

const scriptFor = (replicas: number): string => {
  const objects = helmIn('charts').render('helm', 'mongodb', '--set', `engine=mongodb,replicas=${replicas}`)
  const config = objects.find(({ kind }) => kind === 'ConfigMap') as Rendered & { data: Record<string, string> }
  return config.data['replica-set.js'] ?? ''
}

const hostOf = (ordinal: number) => `xray-mongodb-${ordinal}.xray-mongodb-nodes.xray.svc.cluster.local:27017`

type Member = 'silent' | 'new' | 'member'
type World = {
  /** The others, by ordinal; each look of the script may find another state. */
  others: Record<number, (look: number) => Member>
  config?: { version: number; members: { _id: number; host: string }[] } | undefined
  hasUser?: boolean
}

/** Runs the script of the first member for some turns of its loop, with servers played from memory. */
const play = (replicas: number, world: World, turns: number) => {
  let { config, hasUser = false } = world
  let [turn, open] = [0, 0]
  const commands: string[] = []
  const self = () => {
    let isUser = false
    return {
      auth: () => {
        if (!hasUser) throw new Error('Authentication failed')
        isUser = true
      },
      hello: () => (config === undefined ? { isreplicaset: true } : { setName: 'xray', isWritablePrimary: true }),
      createUser: () => {
        if (hasUser) throw new Error('it is there')
        hasUser = true
      },
      adminCommand: (command: Record<string, unknown>) => {
        const [name = ''] = Object.keys(command)
        if (hasUser && !isUser) throw new Error(`${name} requires authentication`)
        if (name === 'replSetGetConfig') return { config: structuredClone(config) }
        commands.push(name)
        config = Object.assign({ version: 1 }, command[name] as NonNullable<World['config']>)
        return { ok: 1 }
      },
    }
  }
  const other = (ordinal: number) => ({
    hello: () => {
      const state = world.others[ordinal]?.(turn) ?? 'silent'
      if (state === 'silent') throw new Error('connect ECONNREFUSED')
      return state === 'new' ? { isreplicaset: true } : { setName: 'xray', secondary: true }
    },
  })
  const ended = new Error('enough turns')
  function Mongo(uri: string) {
    open++
    const ordinal = [1, 2].find((one) => uri.includes(hostOf(one)))
    return { getDB: () => (ordinal === undefined ? self() : other(ordinal)), close: () => open-- }
  }
  const context = {
    Mongo,
    print: () => undefined,
    process: { env: { MONGODB_USERNAME: 'xray' } },
    require: () => ({ readFileSync: () => 'secret' }),
    sleep: () => {
      if (++turn === turns) throw ended
    },
  }
  expect(() => runInNewContext(scriptFor(replicas), context)).toThrow(ended)
  return { commands, hosts: config?.members.map(({ host }) => host), open }
}

it('one member founds its set at once, and leaves no connection open', () => {
  expect(play(1, { others: {} }, 1)).toEqual({ commands: ['replSetInitiate'], hosts: [hostOf(0)], open: 0 })
})

it('three new members become one set, one member after the other', () => {
  const { commands, hosts, open } = play(3, { others: { 1: () => 'new', 2: () => 'new' } }, 6)
  expect(commands).toEqual(['replSetInitiate', 'replSetReconfig', 'replSetReconfig'])
  expect([hosts, open]).toEqual([[hostOf(0), hostOf(1), hostOf(2)], 0])
})

it.each<[string, World['others']]>([
  ['the others have a set', { 1: () => 'member', 2: () => 'member' }],
  ['one other has a set', { 1: () => 'new', 2: () => 'member' }],
  ['one other does not answer', { 1: () => 'new', 2: () => 'silent' }],
  [
    'the others have just started, and soon know their set',
    { 1: () => 'new', 2: (look) => (look < 2 ? 'new' : 'member') },
  ],
  ['one other answers now and then', { 1: () => 'new', 2: (look) => (look % 3 === 2 ? 'silent' : 'new') }],
])('a first member without its volume founds no second set when %s', (_, others) => {
  expect(play(3, { others }, 12)).toEqual({ commands: [], hosts: undefined, open: 0 })
})

it('a set of one grows to three', () => {
  const config = { version: 4, members: [{ _id: 0, host: hostOf(0) }] }
  const { hosts } = play(3, { others: { 1: () => 'new', 2: () => 'new' }, config, hasUser: true }, 4)
  expect(hosts).toEqual([hostOf(0), hostOf(1), hostOf(2)])
})
