import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseVersions, parseVersionName } from './version-policy.ts'

for (const { given, policy, expected } of [
  { given: 'the latest', policy: { kind: 'latest', count: 1 }, expected: [10] },
  { given: 'the latest two, by number', policy: { kind: 'latest', count: 2 }, expected: [3, 10] },
  { given: 'more than there are', policy: { kind: 'latest', count: 9 }, expected: [1, 3, 10] },
  { given: 'all', policy: { kind: 'all' }, expected: [1, 3, 10] },
  {
    given: 'some, one of them absent',
    policy: { kind: 'specific', versions: [10, 2, 1] },
    expected: [1, 10],
  },
] as const) {
  test(`chooses ${given}`, () => {
    assert.deepEqual(chooseVersions(policy, [10, 1, 3]), expected)
  })
}

test('a version directory is named by a number without a leading zero', () => {
  const names = ['1', '0', '01', '00', '12', 'one', '-1', '1a', '']
  assert.deepEqual(names.map(parseVersionName), [
    1,
    0,
    undefined,
    undefined,
    12,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
