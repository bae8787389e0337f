import { isDatatype } from '../../wire/oip/tensor.ts'
import type { Datatype } from '../../wire/oip/tensor.ts'

/** The datatype that a config names; undefined for none. */
export function fromDataTypeName(name: string): Datatype | undefined {
  const text = name === 'TYPE_STRING' ? 'BYTES' : name.replace(/^TYPE_/, '')
  return isDatatype(text) ? text : undefined
}
