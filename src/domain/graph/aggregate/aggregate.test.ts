import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'

import type { JsonValue } from '../../json.ts'
import type { Aggregate } from '../graph.ts'
import { aggregateAnswers } from './aggregate.ts'
import { isVoteDecided } from './votes.ts'

const BRANCHES = ['tree', 'linear', 'boost']

function answers(values: readonly JsonValue[], weights: readonly number[] = []) {
  return values.map((value, at) => {
    return { branch: BRANCHES[at] ?? `b${at}`, weight: weights[at] ?? 1, value }
  })
}

const vote = { kind: 'majority-vote', classes: undefined } as const
const row = (...probabilities: readonly number[]): JsonValue => ({ probabilities })

interface Case {
  readonly given: string
  readonly aggregate: Aggregate<unknown>
  readonly values: readonly JsonValue[]
  readonly weights?: readonly number[]
  readonly expected: JsonValue
}

const CASES: readonly Case[] = [
  {
    given: 'two say orange, one apple',
    aggregate: vote,
    values: [{ predictions: ['orange'] }, ['apple'], { predictions: [{ label: 'orange' }] }],
    expected: {
      predictions: [{ label: 'orange', votes: { orange: 2, apple: 1 }, share: 2 / 3 }],
    },
  },
  {
    given: 'apple weighs more than both oranges',
    aggregate: { kind: 'weighted-vote', classes: undefined },
    values: ['orange', 'apple', 'orange'],
    weights: [1, 3, 1],
    expected: { label: 'apple', votes: { orange: 2, apple: 3 }, share: 0.6 },
  },
  {
    given: 'numbers with names beside words',
    aggregate: { kind: 'majority-vote', classes: ['apple', 'orange'] },
    values: [[1], ['apple'], [row(0.2, 0.8)]],
    expected: [{ label: 'orange', votes: { orange: 2, apple: 1 }, share: 2 / 3 }],
  },
  {
    given: 'a tie: the branch that stands first',
    aggregate: vote,
    values: ['pear', 'apple'],
    expected: { label: 'pear', votes: { pear: 1, apple: 1 }, share: 0.5 },
  },
  {
    given: 'probabilities: the sure one overrules two that waver',
    aggregate: { kind: 'soft-vote', classes: ['apple', 'orange'] },
    values: [[row(0.5, 0.5)], [row(1, 0)], [row(0.25, 0.75)]],
    weights: [1, 2, 1],
    expected: [{ label: 'apple', probabilities: { apple: 0.6875, orange: 0.3125 } }],
  },
  {
    given: 'a mean of rows',
    aggregate: { kind: 'mean' },
    values: [[[1, 2]], [[3, 4]]],
    expected: [[2, 3]],
  },
  {
    given: 'a weighted mean of objects',
    aggregate: { kind: 'weighted-mean' },
    values: [{ price: 1 }, { price: 4 }],
    weights: [2, 1],
    expected: { price: 2 },
  },
  { given: 'a median of three', aggregate: { kind: 'median' }, values: [1, 9, 2], expected: 2 },
  { given: 'a median of two', aggregate: { kind: 'median' }, values: [1, 2], expected: 1.5 },
  { given: 'the least', aggregate: { kind: 'min' }, values: [[3], [2]], expected: [2] },
  { given: 'the most', aggregate: { kind: 'max' }, values: [[3], [2]], expected: [3] },
  {
    given: 'one tensor of the inference protocol',
    aggregate: { kind: 'mean' },
    values: [{ outputs: [{ name: 'y', shape: [2, 1], data: [1, 2] }] }, { predictions: [3, 4] }],
    expected: { predictions: [2, 3] },
  },
  {
    given: 'columns',
    aggregate: { kind: 'concat' },
    values: [[[1, 2]], [3]],
    expected: [[1, 2, 3]],
  },
  {
    given: 'all by name',
    aggregate: { kind: 'collect' },
    values: [1, 'x'],
    expected: { tree: 1, linear: 'x' },
  },
  {
    given: 'rankings',
    aggregate: { kind: 'rank-fusion', constant: 60, itemsMax: 2 },
    values: [
      ['a', 'b'],
      [{ id: 'b' }, { id: 'c' }],
    ],
    expected: [
      { id: 'b', score: 1 / 62 + 1 / 61, ranks: { tree: 2, linear: 1 } },
      { id: 'a', score: 1 / 61, ranks: { tree: 1 } },
    ],
  },
  {
    given: 'a stacking model',
    aggregate: { kind: 'stacking', node: undefined },
    values: [[row(0.2, 0.8)], [{ b: 1, a: 2 }], [true]],
    expected: { instances: [[0.2, 0.8, 2, 1, 1]] },
  },
]

suite('answers become one', () => {
  for (const { given, aggregate, values, weights, expected } of CASES) {
    test(given, () => {
      assert.deepEqual(aggregateAnswers(aggregate, answers(values, weights)), expected)
    })
  }
})

const REFUSED: readonly (Omit<Case, 'expected'> & { readonly message: string })[] = [
  {
    given: 'another number of rows',
    aggregate: vote,
    values: [['a', 'b'], ['a']],
    message: 'Branch linear answers 1 prediction where branch tree answers 2.',
  },
  {
    given: 'words and numbers',
    aggregate: vote,
    values: ['orange', 1],
    message:
      'Branch linear votes for the number 1, branch tree for the string "orange": name the classes alike, or list them as classes.',
  },
  {
    given: 'a class that is not listed',
    aggregate: { kind: 'majority-vote', classes: ['apple', 'orange'] },
    values: ['pear'],
    message: 'Branch tree votes for "pear"; the classes are apple, orange.',
  },
  {
    given: 'a regression among votes',
    aggregate: vote,
    values: ['orange', 0.5],
    message: 'Branch linear answers 0.5, which is no class.',
  },
  {
    given: 'probabilities of other classes',
    aggregate: { kind: 'soft-vote', classes: undefined },
    values: [
      { apple: 0.5, orange: 0.5 },
      { apple: 0.5, pear: 0.5 },
    ],
    message: 'Branch linear gives probabilities of apple, pear, branch tree of apple, orange.',
  },
  {
    given: 'another shape',
    aggregate: { kind: 'mean' },
    values: [[[1, 2]], [[1, 2, 3]]],
    message:
      'Branch linear answers a list of 3 at prediction 0, where branch tree answers a list of 2.',
  },
  {
    given: 'a word among numbers',
    aggregate: { kind: 'median' },
    values: [1, 'two'],
    message: 'Branch linear answers "two" at prediction 0; a number is needed.',
  },
  {
    given: 'no ranking',
    aggregate: { kind: 'rank-fusion', constant: 60, itemsMax: 9 },
    values: ['a'],
    message: 'Branch tree answers "a"; a ranking is a list.',
  },
]

suite('answers that cannot become one are refused with the branch and the value', () => {
  for (const { given, aggregate, values, message } of REFUSED) {
    test(given, () => {
      assert.throws(() => aggregateAnswers(aggregate, answers(values)), { message })
    })
  }
})

test('a vote is decided exactly when no outstanding vote can change it', () => {
  const label = fc.constantFrom('apple', 'orange', 'pear')
  fc.assert(
    fc.property(
      fc.array(label, { minLength: 1, maxLength: 6 }),
      fc.array(label, { maxLength: 4 }),
      (came, outstanding) => {
        const options = { isWeighted: false, classes: undefined }
        if (!isVoteDecided(answers(came), outstanding.length, options)) return
        const before = aggregateAnswers(vote, answers(came))
        const after = aggregateAnswers(vote, answers([...came, ...outstanding]))
        assert.equal(Reflect.get(Object(after), 'label'), Reflect.get(Object(before), 'label'))
      },
    ),
  )
})

test('the order of the branches does not change a mean, nor move it out of its bounds', () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(values, (numbers) => {
      const mean = Number(aggregateAnswers({ kind: 'mean' }, answers(numbers)))
      const reversed = Number(aggregateAnswers({ kind: 'mean' }, answers(numbers.toReversed())))
      assert.ok(Math.abs(mean - reversed) < 1e-3)
      assert.ok(mean >= Math.min(...numbers) - 1e-3 && mean <= Math.max(...numbers) + 1e-3)
    }),
  )
})
