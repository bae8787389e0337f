import schemas from './generated/sagemaker-schemas.json' with { type: 'json' }

/** What a member holds: a simple type, or a shape of the table. */
export type Shape =
  | { readonly type: 'structure'; readonly members: Readonly<Record<string, string>> }
  | { readonly type: 'list' | 'map'; readonly of: string }
  | { readonly type: SimpleType }

/** Types that have no shape of their own. */
export type SimpleType = 'string' | 'number' | 'integer' | 'boolean' | 'timestamp'

const SIMPLE: Readonly<Record<string, Shape>> = {
  string: { type: 'string' },
  number: { type: 'number' },
  integer: { type: 'integer' },
  boolean: { type: 'boolean' },
  timestamp: { type: 'timestamp' },
}
// The JSON import has the table's widened type; the script that writes it emits only these forms.
const SHAPES = schemas.shapes as unknown as Readonly<Record<string, Shape>>

/** The shape with this name. Names come from the table itself, so a missing one is a bug. */
export function findShape(name: string): Shape {
  const shape = SIMPLE[name] ?? SHAPES[name]
  if (shape === undefined) throw new Error(`no shape ${name}`)
  return shape
}
