/**
 * Extracts the shapes of the offered SageMaker operations from the AWS SDK's own schemas.
 *
 * Usage: node scripts/extract-schemas.ts [OUTPUT_DIR]   (default: src/wire/generated)
 *
 * Run extract-constraints.py first: the SDK's schemas know one numeric type, the service model tells which are
 * integers. Deterministic, so CI can compare. Why a table instead of the SDK at run time: docs/decisions/0002.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as sdk from '@aws-sdk/client-sagemaker'

// The numbers of @smithy/core/schema's static schemas.
const SIMPLE = new Map([
  [0, 'string'],
  [1, 'number'],
  [2, 'boolean'],
  [4, 'timestamp'],
  [7, 'timestamp'],
])
const LIST_OF = 64
const MAP_OF = 128
const KIND = { list: 1, map: 2, structure: 3, union: 4, operation: 9 }

type StaticSchema = readonly unknown[]
interface ModelShape {
  readonly type: string
  readonly members?: Readonly<Record<string, { readonly shape: string }>>
}
interface Table {
  readonly sagemaker: {
    readonly operations: Readonly<Record<string, string | null>>
    readonly shapes: Readonly<Record<string, ModelShape>>
  }
}
type Shape =
  | { type: 'structure' | 'union'; members: Record<string, string> }
  | { type: 'list' | 'map'; of: string }

const directory = process.argv[2] ?? join(import.meta.dirname, '../src/wire/generated')
const read = (file: string): Table =>
  JSON.parse(readFileSync(join(directory, file), 'utf8')) as Table
const inputs = read('sagemaker-constraints.json').sagemaker
const outputs = read('sagemaker-output-shapes.json').sagemaker

const shapes: Record<string, Shape> = {}

function isInteger(structure: string, member: string): boolean {
  for (const { shapes: model } of [inputs, outputs]) {
    const target = model[structure]?.members?.[member]?.shape
    const type = target === undefined ? undefined : model[target]?.type
    if (type !== undefined) return type === 'integer' || type === 'long'
  }
  return false
}

/** The name of a referenced shape, after adding it and what it refers to. */
function add(reference: unknown): string {
  const schema = typeof reference === 'function' ? (reference as () => unknown)() : reference
  if (typeof schema === 'number') {
    if (schema >= MAP_OF)
      return addCollection(`map of ${simple(schema - MAP_OF)}`, 'map', schema - MAP_OF)
    if (schema >= LIST_OF)
      return addCollection(`list of ${simple(schema - LIST_OF)}`, 'list', schema - LIST_OF)
    return simple(schema)
  }
  const [kind, , name, , fourth, fifth] = schema as StaticSchema
  const shapeName = String(name)
  if (kind === KIND.list) return addCollection(shapeName, 'list', fourth)
  if (kind === KIND.map) return addCollection(shapeName, 'map', fifth)
  if (kind !== KIND.structure && kind !== KIND.union)
    throw new Error(`kind ${String(kind)}: ${shapeName}`)
  if (shapeName in shapes) return shapeName
  const members: Record<string, string> = {}
  shapes[shapeName] = { type: kind === KIND.union ? 'union' : 'structure', members }
  const names = fourth as readonly string[]
  const targets = fifth as readonly unknown[]
  for (const [index, member] of names.entries()) {
    const target = targets[index]
    // A member with traits is [reference, traits].
    const type = add(Array.isArray(target) && typeof target[0] === 'function' ? target[0] : target)
    members[member] = type === 'number' && isInteger(shapeName, member) ? 'integer' : type
  }
  return shapeName
}

function addCollection(name: string, type: 'list' | 'map', reference: unknown): string {
  if (!(name in shapes)) shapes[name] = { type, of: add(reference) }
  return name
}

function simple(code: number): string {
  const type = SIMPLE.get(code)
  if (type === undefined) throw new Error(`schema code ${code} is not known here`)
  return type
}

const names: string[] = []
const operations: Record<string, { input: string; output: string | null }> = {}
for (const schema of Object.values(sdk) as readonly unknown[]) {
  if (!Array.isArray(schema) || schema[0] !== KIND.operation) continue
  const [, , name, , input, output] = schema as StaticSchema
  names.push(String(name))
  if (!(String(name) in inputs.operations)) continue
  // Operations without output refer to a unit, which is not a structure with a name of its own.
  const hasOutput = outputs.operations[String(name)] !== null
  operations[String(name)] = { input: add(input), output: hasOutput ? add(output) : null }
}

const sorted = <Value>(record: Record<string, Value>): Record<string, Value> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)))
const version = (
  JSON.parse(
    readFileSync(
      join(import.meta.dirname, '../node_modules/@aws-sdk/client-sagemaker/package.json'),
      'utf8',
    ),
  ) as { version: string }
).version
const table = {
  source: `@aws-sdk/client-sagemaker ${version}`,
  operations: sorted(operations),
  notOffered: names.filter((name) => !(name in operations)).toSorted(),
  shapes: sorted(shapes),
}
mkdirSync(directory, { recursive: true })
writeFileSync(join(directory, 'sagemaker-schemas.json'), `${JSON.stringify(table, null, 1)}\n`)
