import { isDatatype } from '../../wire/oip/tensor.ts'
import type { Datatype } from '../../wire/oip/tensor.ts'

/** The datatype that a config names; undefined for none. */
export function fromDataTypeName(name: string): Datatype | undefined {
  const text = name === 'TYPE_STRING' ? 'BYTES' : name.replace(/^TYPE_/, '')
  return isDatatype(text) ? text : undefined
}

/** The datatype that a valid config names. */
export function toDatatype(name: unknown): Datatype {
  const datatype = typeof name === 'string' ? fromDataTypeName(name) : undefined
  if (datatype !== undefined) return datatype
  throw new Error(`A valid configuration has no data type ${String(name)}.`)
}
