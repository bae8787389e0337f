import assert from 'node:assert/strict'
import { suite, test } from 'node:test'

import type { Database, LookupNode } from './database.ts'
import { findDatabaseProblem } from './find-database-problem.ts'
import { addToInput, chooseRows } from './lookup-rows.ts'

suite('what a look-up answers', () => {
  const row = { a: 1 }
  for (const [wanted, rows, verdict] of [
    ['one', [], { kind: 'missing' }],
    ['one', [row], { kind: 'answer', value: row }],
    ['optional', [], { kind: 'answer', value: null }],
    ['all', [], { kind: 'answer', value: [] }],
    ['all', [row, row], { kind: 'answer', value: [row, row] }],
  ] as const) {
    test(`${wanted} of ${rows.length}`, () => assert.deepEqual(chooseRows(rows, wanted), verdict))
  }
  test('one of several is none', () => assert.equal(chooseRows([row, row], 'one').kind, 'too-many'))
})

test('what was found joins the input where that has keys', () => {
  assert.deepEqual(addToInput({ id: 7 }, 'customer', { plan: 'gold' }), {
    id: 7,
    customer: { plan: 'gold' },
  })
  assert.equal(addToInput([1], 'x', 2), 'The input is a list of 1; into x needs an object.')
})

suite('a look-up fits its database', () => {
  const options = { timeoutMs: 1, breaker: { failureCount: 1, openMs: 1 } }
  const file = { kind: 'model-data', path: 'a.db' } as const
  const databaseByName = new Map<string, Database>([
    ['db', { kind: 'sqlite', file, threadCount: 1, waitingMax: 1, ...options }],
    ['table', { kind: 'features', file, ...options }],
  ])
  const node = (query: string, parameters: readonly string[], database = 'db'): LookupNode => ({
    kind: 'lookup',
    database,
    query,
    parameters,
    rows: 'one',
    rowsMax: 1,
    missing: undefined,
    into: undefined,
  })
  for (const [given, says] of [
    [node('SELECT $1 + $2', ['1', '2']), undefined],
    [node('SELECT \'$2\', "$3", $1 -- $4\n/* $5 */', ['1']), undefined],
    [node('SELECT $$ $3 $$, $tag$ $4 $tag$, $1', ['1']), undefined],
    [node('SELECT $2', ['1']), /\$2; there are 1 parameters/],
    [node('SELECT 1', ['1']), /does not use parameter \$1/],
    [node("SELECT '$1'", ['1']), /does not use parameter \$1/],
    [node('SELECT 1', [], 'nobody'), /no database nobody. Databases: db, table/],
    [node('SELECT 1', [], 'table'), /a features node reads it/],
  ] as const) {
    test(given.query, () => {
      const message = findDatabaseProblem(given, databaseByName)?.message
      if (says === undefined) assert.equal(message, undefined)
      else assert.match(message ?? '', says)
    })
  }
})
