import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kit/client.ts'
import { differenceOf } from './diff.ts'

const object = (spec: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', namespace: 'xray', ...metadata },
  spec,
})
const container = (change: object) => ({ template: { spec: { containers: [{ name: 'api', image: 'a', ...change }] } } })

describe('an intent differs from what is there', () => {
  it.each([
    ['not in what the API server fills in', { replicas: 1 }, { replicas: 1, revisionHistoryLimit: 10 }, undefined],
    ['in a number, 0 included', { replicas: 0 }, { replicas: 3 }, 'spec.replicas'],
    ['in a field that is gone', { replicas: 0 }, {}, 'spec.replicas'],
    ['in false that is gone, where nothing means true', { immutable: false }, {}, 'spec.immutable'],
    ['not in what is empty and left out', { env: [], note: '', resources: {} }, {}, undefined],
    [
      'not in a sidecar of somebody else',
      container({}),
      {
        template: {
          spec: {
            containers: [
              { name: 'proxy', image: 'p' },
              { name: 'api', image: 'a' },
            ],
          },
        },
      },
      undefined,
    ],
    ['in the image of our container', container({}), container({ image: 'b' }), 'spec.template.spec.containers.image'],
    [
      'not in how a quantity is written',
      container({ resources: { requests: { cpu: '1000m', memory: '1024Mi' } } }),
      container({ resources: { requests: { cpu: '1', memory: '1Gi' } } }),
      undefined,
    ],
    [
      'in a quantity',
      container({ resources: { limits: { memory: '1Gi' } } }),
      container({ resources: { limits: { memory: '1G' } } }),
      'spec.template.spec.containers.resources.limits.memory',
    ],
    ['in one label more of a selector', { selector: { a: '1' } }, { selector: { a: '1', b: '2' } }, 'spec.selector'],
    [
      'in one port more that a network policy opens',
      { ingress: [{ ports: [{ port: 'http' }] }] },
      { ingress: [{ ports: [{ port: 'http' }, { port: 'ssh' }] }] },
      'spec.ingress.ports',
    ],
    ['in the order of a command', { command: ['a', 'b'] }, { command: ['b', 'a'] }, 'spec.command'],
  ] as [string, object, object, string | undefined][])('%s', (_, wanted, found, difference) =>
    expect(differenceOf(object(wanted), object(found))).toBe(difference),
  )

  it('not in the label of somebody else, but in ours', () => {
    const live = object({}, { uid: 'u', labels: { mine: 'yes', app: 'x' } })
    expect(differenceOf(object({}, { labels: { app: 'x' } }), live)).toBeUndefined()
    expect(differenceOf(object({}, { labels: { app: 'y' } }), live)).toBe('metadata.labels.app')
  })
  it('in an owner that somebody took away', () =>
    expect(differenceOf(object({}, { ownerReferences: [{ uid: 'u1' }] }), object({}))).toBe('metadata.ownerReferences'))
})
