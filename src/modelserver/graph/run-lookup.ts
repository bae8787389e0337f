import type { FeaturesNode, LookupNode } from '../../domain/graph/database.ts'
import { addToInput, chooseRows } from '../../domain/graph/lookup-rows.ts'
import type { JsonObject, JsonValue } from '../../domain/json.ts'
import type { FeatureRows } from './data/feature-rows.ts'
import { Document } from './document.ts'
import { evaluateIn } from './evaluate-in.ts'
import { NodeFailure } from './node-failure.ts'
import { refusalOf } from './refuse.ts'
import type { Run, Scope } from './run.ts'

const KEYS_MAX = 10_000
const NOT_FOUND = 404

/** Asks a database. @throws NodeFailure */
export async function runLookup(
  step: LookupNode,
  input: Document,
  run: Run,
  scope: Scope,
): Promise<Document> {
  const { database, query: text, rows: wanted, rowsMax, missing, into } = step
  const parameters = step.parameters.map((each) => evaluateIn(each, input, run, scope))
  const query = { text, parameters, rowsMax }
  const found = await run.machinery.databases.findRows(database, query, scope.signal)
  const verdict = chooseRows(found, wanted)
  switch (verdict.kind) {
    case 'answer':
      return documentOf(verdict.value, into, input)
    case 'too-many':
      throw new NodeFailure(verdict.message, 502)
    case 'missing':
      if (missing !== undefined) throw refusalOf(missing, input, run, scope)
      throw new NodeFailure(`Database ${database} has no row for this input.`, NOT_FOUND)
  }
}

/** Reads features by key. @throws NodeFailure */
export function readFeatures(
  step: FeaturesNode,
  input: Document,
  run: Run,
  scope: Scope,
): Document {
  const table = run.machinery.databases.table(step.database)
  const columns = chooseColumns(step, table)
  const key = evaluateIn(step.key, input, run, scope)
  const readOne = (one: JsonValue): JsonValue => {
    const row = findRow(step, table, one)
    if (row !== undefined) return formRow(row, columns, step.as)
    if (step.missing !== undefined) throw refusalOf(step.missing, input, run, scope)
    const what = `Feature table ${step.database} has no ${table.keyName} ${JSON.stringify(one)}.`
    throw new NodeFailure(what, NOT_FOUND)
  }
  if (!Array.isArray(key)) return documentOf(readOne(key), step.into, input)
  if (key.length > KEYS_MAX) {
    throw new NodeFailure(`key gives ${key.length} keys; ${KEYS_MAX} are allowed.`, 400)
  }
  return documentOf(key.map(readOne), step.into, input)
}

function findRow(
  { defaults }: FeaturesNode,
  table: FeatureRows,
  key: JsonValue,
): JsonObject | undefined {
  if (typeof key === 'string' || typeof key === 'number') return table.find(key) ?? defaults
  throw new NodeFailure(`key gives ${JSON.stringify(key)}; text or a number is needed.`, 400)
}

function chooseColumns({ columns, database }: FeaturesNode, table: FeatureRows): readonly string[] {
  const all = table.columns.map(({ name }) => name)
  const unknown = columns?.find((name) => !all.includes(name))
  if (unknown === undefined) return columns ?? all
  const what = `Feature table ${database} has no column ${unknown}; it has ${all.join(', ')}.`
  throw new NodeFailure(what, 502)
}

function formRow(row: JsonObject, columns: readonly string[], as: FeaturesNode['as']): JsonValue {
  const values = columns.map((name) => row[name] ?? null)
  if (as === 'list') return values
  return Object.fromEntries(columns.map((name, at) => [name, values[at]]))
}

function documentOf(value: JsonValue, into: string | undefined, input: Document): Document {
  if (into === undefined) return Document.ofValue(value)
  const joined = addToInput(input.value, into, value)
  if (typeof joined === 'string') throw new NodeFailure(joined, 400)
  return Document.ofValue(joined)
}
