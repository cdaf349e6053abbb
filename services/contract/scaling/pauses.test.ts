import { expect, it } from 'vitest'
import { pausesOf } from './pauses.ts'

const none = { paused: false, scaleIn: false, scaleOut: false, forced: false }

it.each([
  ['nothing', {}, none],
  ['ours', { 'xrayiot.dev/paused': 'true' }, { ...none, paused: true }],
  ["KEDA's", { 'autoscaling.keda.sh/paused': 'true' }, { ...none, paused: true }],
  ["ours before KEDA's", { 'xrayiot.dev/paused': 'false', 'autoscaling.keda.sh/paused': 'true' }, none],
  ['any word but false, as KEDA does', { 'autoscaling.keda.sh/paused': 'yes' }, { ...none, paused: true }],
  ['a number', { 'autoscaling.keda.sh/paused-replicas': '0' }, { ...none, paused: true, replicas: 0 }],
  ['a number that is none as nothing', { 'autoscaling.keda.sh/paused-replicas': '-1' }, none],
  ['one direction', { 'autoscaling.keda.sh/paused-scale-in': 'true' }, { ...none, scaleIn: true }],
  ['the other', { 'xrayiot.dev/paused-scale-out': 'true' }, { ...none, scaleOut: true }],
  ['activity', { 'autoscaling.keda.sh/force-activation': 'true' }, { ...none, forced: true }],
])('reads %s', (_, annotations, expected) => expect(pausesOf(annotations)).toEqual(expected))
