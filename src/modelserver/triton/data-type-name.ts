import { isDatatype } from '../../wire/oip/tensor.ts'
import type { Datatype } from '../../wire/oip/tensor.ts'

/** What configs call a datatype: `TYPE_STRING` for BYTES. */
export function toDataTypeName(datatype: Datatype): string {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`
}

/** The datatype that a config names; undefined for none. */
export function fromDataTypeName(name: string): Datatype | undefined {
  const text = name === 'TYPE_STRING' ? 'BYTES' : name.replace(/^TYPE_/, '')
  return isDatatype(text) ? text : undefined
}
