import tables from './generated/sagemaker-constraints.json' with { type: 'json' }

/** A shape of the service model with its bounds. Which fields it has depends on its type. */
export interface ConstrainedShape {
  readonly type: string
  readonly min?: number
  readonly max?: number
  /** The pattern as the service's messages show it. */
  readonly pattern?: string
  /** The pattern to compile, where the model's is Java's or broken. */
  readonly javascriptPattern?: string
  readonly enum?: readonly string[]
  readonly required?: readonly string[]
  readonly members?: Readonly<Record<string, ConstrainedMember>>
  /** Element of a list. */
  readonly member?: string
  readonly key?: string
  readonly value?: string
}

/** A member of a structure; the location is where a REST operation carries it. */
export interface ConstrainedMember {
  readonly shape: string
  readonly location?: string
  readonly locationName?: string
}

/** The shapes of one service. The two services have different shapes of the same name. */
export interface ConstraintTable {
  readonly operations: Readonly<Record<string, string>>
  readonly shapes: Readonly<Record<string, ConstrainedShape>>
}

// The JSON import has one literal type per shape; the script that writes it emits only this form.
const both = tables as unknown as Readonly<Record<'sagemaker' | 'runtime', ConstraintTable>>

/** Input shapes of the control plane. */
export const CONTROL_CONSTRAINTS = both.sagemaker

/** Input shapes of the runtime. */
export const RUNTIME_CONSTRAINTS = both.runtime

const compiled = new Map<string, RegExp>()

/**
 * Whether a text matches a shape's pattern as a whole.
 *
 * Newer models dropped `^…$` while the service still matches the whole value: without anchors `a b` is a name.
 */
export function matchesPattern(shape: ConstrainedShape, text: string): boolean {
  const source = shape.javascriptPattern ?? shape.pattern
  if (source === undefined) return true
  let expression = compiled.get(source)
  if (expression === undefined) {
    expression = new RegExp(`^(?:${source})$`, 'u')
    compiled.set(source, expression)
  }
  return expression.test(text)
}
