import assert from 'node:assert/strict'
import { test } from 'node:test'

import { encodeSiblings, parseSiblings } from './sibling-containers.ts'
import type { SiblingContainer } from './sibling-containers.ts'

const SIBLINGS: readonly SiblingContainer[] = [
  { hostname: 'vote', http: { kind: 'socket', path: '/run/i/0.sock' } },
  { hostname: 'svm', http: { kind: 'tcp', host: '127.0.0.1', port: 8081 } },
  { hostname: 'tree', http: { kind: 'tcp', host: '::1', port: 8082 } },
]

test('siblings are read as they were written, in their order', () => {
  assert.deepEqual(parseSiblings(encodeSiblings(SIBLINGS)), SIBLINGS)
})

test('the only container of an instance has no siblings', () => {
  assert.deepEqual(parseSiblings(undefined), [])
})

for (const value of ['1', '{"a":1}', '{"a":{"http":1}}', '{"a":{"http":"nowhere"}}', '{']) {
  test(`siblings of the form ${value} are refused`, () => {
    assert.throws(() => parseSiblings(value))
  })
}
