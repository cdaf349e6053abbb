import { expect, it } from 'vitest'
import { gradeOf } from './refusal.ts'

it.each([
  [422, 'Service "x" is invalid: spec.type', 'refused ChildInvalid'],
  [400, 'unknown field "spec.x"', 'refused ChildInvalid'],
  [
    500,
    'failed to create typed patch object (n/x; apps/v1, Kind=Deployment): .spec.x: field not declared in schema',
    'refused ChildInvalid',
  ],
  [403, 'deployments.apps "x" is forbidden: User "u" cannot patch', 'refused ChildForbidden'],
  [403, 'unable to create new content in namespace n because it is being terminated', 'ending'],
  [409, 'the object has been modified', 'unexpected'],
  [404, 'namespaces "n" not found', 'unexpected'],
  [500, 'etcdserver: request timed out', 'unexpected'],
])('an apply that is answered %i "%s" is graded: %s', (status, message, expected) => {
  const grade = gradeOf({ status, reason: '', message }, 'Service x')
  expect(grade.kind === 'refused' ? `refused ${grade.refusal.reason}` : grade.kind).toBe(expected)
})

it('a name that another has is told with what to do about it', () =>
  expect(gradeOf({ status: 409, reason: 'NameTaken', message: 'it is controlled by Job x' }, 'Service y')).toEqual({
    kind: 'refused',
    refusal: {
      reason: 'NameTaken',
      message: expect.stringMatching(/^Service y is another's: it is controlled by Job x; rename or delete it/),
    },
  }))
