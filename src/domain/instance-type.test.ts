import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shapeOf, workerCountOf } from './instance-type.ts'

const GIB = 1024 ** 3

const CASES: readonly [instanceType: string, vCpuCount: number, gib: number][] = [
  ['ml.t2.medium', 2, 4],
  ['ml.m5.large', 2, 8],
  ['ml.m5.xlarge', 4, 16],
  ['ml.c5.2xlarge', 8, 16],
  ['ml.c6gn.16xlarge', 64, 128],
  ['ml.r5d.24xlarge', 96, 768],
  ['ml.r8g.medium', 1, 8],
  ['ml.g4dn.xlarge', 4, 16],
  ['ml.g6e.4xlarge', 16, 128],
  ['ml.p3.2xlarge', 8, 61],
  ['ml.inf1.6xlarge', 24, 48],
  ['local.large', 2, 8],
]

for (const [instanceType, vCpuCount, gib] of CASES) {
  test(`${instanceType} is ${vCpuCount} vCPU and ${gib} GiB`, () => {
    assert.deepEqual(shapeOf(instanceType), { vCpuCount, memoryBytes: gib * GIB })
  })
}

test('an unknown name has no shape, and a configured one wins', () => {
  assert.equal(shapeOf('ml.m5.huge'), undefined)
  assert.equal(shapeOf('ml.zz9.xlarge'), undefined)
  assert.equal(shapeOf('constructor'), undefined)
  const box = { vCpuCount: 3, memoryBytes: 5 * GIB }
  assert.deepEqual(shapeOf('local.box', { 'local.box': box }), box)
})

test('workers stay within the machine and never reach zero', () => {
  assert.equal(workerCountOf({ vCpuCount: 16, memoryBytes: GIB }, 2), 2)
  assert.equal(workerCountOf({ vCpuCount: 1, memoryBytes: GIB }, 8), 1)
  assert.equal(workerCountOf(undefined, 8), 1)
  assert.equal(workerCountOf({ vCpuCount: 4, memoryBytes: GIB }, 0), 1)
})
