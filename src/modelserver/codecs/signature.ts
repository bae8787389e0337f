import { Rejection } from '../rejection.ts'
import type { ElementType } from './tensor.ts'

/** A dimension: a number when the model fixes it, else its name, or `?` when it has none. */
export type Dim = number | string

/** One input or output as the model declares it. */
export interface Port {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly Dim[]
}

/** What a model takes and gives. */
export interface Signature {
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
}

/** The signature in words, for messages: `inputs: x float32 [N, 3]; outputs: y float32 [N, 2]`. */
export function describeSignature({ inputs, outputs }: Signature): string {
  return `inputs: ${inputs.map(describePort).join(', ')}; outputs: ${outputs.map(describePort).join(', ')}`
}

/** One port in words: `x float32 [N, 3]`. */
export function describePort({ name, type, dims }: Port): string {
  return `${name} ${type} [${dims.join(', ')}]`
}

/** A 400 that says what was given and what the model takes. */
export function mismatch(given: string, signature: Signature): Rejection {
  const sentence = given.endsWith('.') ? given : `${given}.`
  return new Rejection(400, `${sentence} The model takes ${describeSignature(signature)}.`)
}
