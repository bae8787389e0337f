import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseNeededSteps, chooseReadySteps, passShape } from './ensemble.ts'
import type { EnsembleStep } from './ensemble.ts'
import { findEnsembleProblem } from './ensemble-graph.ts'
import type { EnsembleGraph, GraphModel } from './ensemble-graph.ts'

const step = (from: string, to: string, modelName = 'm'): EnsembleStep => {
  return { modelName, modelVersion: -1, tensorByInput: { x: from }, tensorByOutput: { y: to } }
}
const STEPS = [step('a', 'b'), step('b', 'c'), step('b', 'd')]

test('steps that lead to no wanted output are not needed', () => {
  assert.deepEqual(
    [...chooseNeededSteps(STEPS, ['d'])].toSorted((a, b) => a - b),
    [0, 2],
  )
  assert.deepEqual(
    [...chooseNeededSteps(STEPS, ['c', 'd'])].toSorted((a, b) => a - b),
    [0, 1, 2],
  )
})

test('steps whose tensors are there are ready together, once', () => {
  const all = new Set([0, 1, 2])
  assert.deepEqual(chooseReadySteps(STEPS, all, new Set(), new Set(['a'])), [0])
  assert.deepEqual(chooseReadySteps(STEPS, all, new Set([0]), new Set(['a'])), [])
  assert.deepEqual(chooseReadySteps(STEPS, all, new Set([0]), new Set(['a', 'b'])), [1, 2])
  assert.deepEqual(chooseReadySteps(STEPS, new Set([0, 2]), new Set([0]), new Set(['b'])), [2])
})

test('a batch dimension comes and goes on the way', () => {
  assert.deepEqual(passShape([1, 3], true, false), [3])
  assert.deepEqual(passShape([3], false, true), [1, 3])
  assert.deepEqual(passShape([2, 3], true, true), [2, 3])
  assert.equal(passShape([2, 3], true, false), undefined)
})

const MODEL: GraphModel = {
  name: 'm',
  maxBatchSize: 4,
  inputs: [{ name: 'x', datatype: 'FP32', dims: [3] }],
  outputs: [{ name: 'y', datatype: 'FP32', dims: [3] }],
}
const GOOD: EnsembleGraph = {
  name: 'e',
  maxBatchSize: 4,
  inputs: [{ name: 'a', datatype: 'FP32', dims: [3] }],
  outputs: [{ name: 'c', datatype: 'FP32', dims: [-1] }],
  steps: [step('a', 'b'), step('b', 'c')],
  models: [MODEL, MODEL],
}

for (const { given, change, expected } of [
  { given: 'a good one', change: {}, expected: undefined },
  {
    given: 'two writers of a tensor',
    change: { steps: [step('a', 'b'), step('a', 'b')] },
    expected: "ensemble tensor 'b' can appear in an output map only once for ensemble 'e' step 1",
  },
  {
    given: 'an input that no step reads',
    change: { inputs: [...GOOD.inputs, { name: 'z', datatype: 'FP32', dims: [3] }] },
    expected: "ensemble input 'z' for ensemble e is not used",
  },
  {
    given: 'an output that no step writes',
    change: { outputs: [{ name: 'z', datatype: 'FP32', dims: [3] }], steps: [step('a', 'b')] },
    expected: "output 'z' for ensemble 'e' is not written",
  },
  {
    given: 'a tensor that nobody reads',
    change: { steps: [...GOOD.steps, step('b', 'z')], models: [MODEL, MODEL, MODEL] },
    expected: "ensemble tensor 'z' is unused in ensemble 'e'",
  },
  {
    given: 'an input of a model that is not mapped',
    change: {
      models: [
        { ...MODEL, inputs: [...MODEL.inputs, { name: 'w', datatype: 'FP32', dims: [1] }] },
        MODEL,
      ],
    },
    expected: 'in ensemble e, input w in model m is not mapped to any ensemble tensors',
  },
  {
    given: 'an input that the model does not have',
    change: { models: [{ ...MODEL, inputs: [] }, MODEL] },
    expected: 'in ensemble e, ensemble tensor a is mapping to non-existing input x in model m',
  },
  {
    given: 'types that do not agree',
    change: { models: [{ ...MODEL, inputs: [{ name: 'x', datatype: 'INT8', dims: [3] }] }, MODEL] },
    expected:
      'in ensemble e, ensemble tensor a: inconsistent data type: TYPE_FP32 is inferred from model e while TYPE_INT8 is inferred from model m',
  },
  {
    given: 'shapes that do not agree',
    change: { models: [{ ...MODEL, inputs: [{ name: 'x', datatype: 'FP32', dims: [4] }] }, MODEL] },
    expected:
      'in ensemble e, ensemble tensor a: inconsistent shape: [-1,3] is inferred from model e while [-1,4] is inferred from model m',
  },
  {
    given: 'a model that takes smaller batches',
    change: { maxBatchSize: 8 },
    expected:
      'ensemble e allows maximum batch size 8, but it contains model m which only allows maximum batch size to be 4',
  },
  {
    given: 'steps that wait for each other',
    change: {
      steps: [{ ...step('a', 'b'), tensorByInput: { x: 'a', w: 'c' } }, step('b', 'c')],
      models: [
        { ...MODEL, inputs: [...MODEL.inputs, { name: 'w', datatype: 'FP32', dims: [3] }] },
        MODEL,
      ],
    },
    expected:
      "output 'c' for ensemble 'e' is not written: at least one of its depending tensors, 'b', is not connected",
  },
] as const) {
  test(`finds what is wrong with an ensemble, given ${given}`, () => {
    assert.equal(findEnsembleProblem({ ...GOOD, ...change }), expected)
  })
}
