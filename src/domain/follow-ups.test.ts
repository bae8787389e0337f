import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { EnsembleStep } from './ensemble.ts'
import { chooseFollowUps, planFollowUps } from './follow-ups.ts'

const step = (inputs: readonly string[], outputs: readonly string[]): EnsembleStep => ({
  modelName: 'm',
  modelVersion: -1,
  tensorByInput: Object.fromEntries(inputs.map((tensor, index) => [`x${index}`, tensor])),
  tensorByOutput: Object.fromEntries(outputs.map((tensor, index) => [`y${index}`, tensor])),
})
const CHAIN = [step(['a'], ['b']), step(['b'], ['c']), step(['c', 'b'], ['d'])]

test('steps follow whose inputs all come from there', () => {
  assert.deepEqual(planFollowUps(CHAIN, 0), [
    { index: 1, inputs: [{ name: 'x0', fromIndex: 0, fromOutput: 'y0' }] },
    {
      index: 2,
      inputs: [
        { name: 'x0', fromIndex: 1, fromOutput: 'y0' },
        { name: 'x1', fromIndex: 0, fromOutput: 'y0' },
      ],
    },
  ])
})

test('a step that needs a tensor from elsewhere does not follow', () => {
  assert.deepEqual(planFollowUps(CHAIN, 1), [])
  const mixed = [step(['a'], ['b']), step(['a', 'b'], ['c']), step([], ['d'])]
  assert.deepEqual(planFollowUps(mixed, 0), [])
})

test('what is too long, must not follow, or has no maker is left out', () => {
  const planned = planFollowUps(CHAIN, 0)
  const chosen = (usMax: number, byIndex: Readonly<Record<number, number>>) => {
    const steps = chooseFollowUps(planned, { firstIndex: 0, usMax }, (index) => byIndex[index])
    return steps.map(({ index }) => index)
  }
  assert.deepEqual(chosen(100, { 1: 60, 2: 40 }), [1, 2])
  assert.deepEqual(chosen(99, { 1: 60, 2: 40 }), [1])
  assert.deepEqual(chosen(100, { 2: 40 }), [])
  assert.deepEqual(chosen(100, { 1: 60 }), [1])
})

// Step i takes tensors of earlier steps, or the ensemble's own, and gives tensor i + 1.
const graphs = fc
  .array(fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 })
  .map((lists) => {
    return lists.map((list, index) => {
      const inputs = [...new Set(list.map((one) => `t${one % (index + 1)}`))]
      return step(inputs, [`t${index + 1}`])
    })
  })

test('property: follow-ups can run in their order on what is there, and none is missing', () => {
  fc.assert(
    fc.property(graphs, fc.nat(), (steps, seed) => {
      const firstIndex = seed % steps.length
      const planned = planFollowUps(steps, firstIndex)
      const made = new Set([firstIndex])
      for (const { index, inputs } of planned) {
        assert.equal(made.has(index), false, 'once')
        const wanted = steps[index]?.tensorByInput ?? {}
        assert.deepEqual(
          inputs.map(({ name }) => name),
          Object.keys(wanted),
        )
        for (const { name, fromIndex, fromOutput } of inputs) {
          assert.ok(made.has(fromIndex), 'after its makers')
          assert.equal(steps[fromIndex]?.tensorByOutput[fromOutput], wanted[name])
        }
        made.add(index)
      }
      const given = new Set(
        [...made].flatMap((at) => Object.values(steps[at]?.tensorByOutput ?? {})),
      )
      for (const [index, { tensorByInput }] of steps.entries()) {
        if (made.has(index)) continue
        assert.ok(Object.values(tensorByInput).some((tensor) => !given.has(tensor)))
      }
    }),
    { numRuns: 500 },
  )
})
