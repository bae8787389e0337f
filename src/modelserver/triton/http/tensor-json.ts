import { Buffer } from 'node:buffer'
import { splitBytes } from '../../../wire/oip/tensor.ts'
import type { Tensor } from '../../../wire/oip/tensor.ts'
import { toElementType, viewElements } from '../onnx/element-bytes.ts'
import { ServingError } from '../serving-error.ts'

/** The elements of a tensor as a flat JSON array. @throws ServingError INVALID_ARG: FP16 and BF16 have no JSON form. */
export function tensorToJson({ datatype, data }: Tensor): string {
  const type = toElementType(datatype)
  if (type === undefined || type === 'float16') {
    throw new ServingError(
      'INVALID_ARG',
      `sending ${datatype} data via JSON is not supported. Please use the binary data format for output`,
    )
  }
  if (type === 'string') {
    const texts = splitBytes(data).map((part) => Buffer.from(part).toString('utf8'))
    return JSON.stringify(texts)
  }
  const copy = new Uint8Array(data)
  const elements = viewElements(type, {
    buffer: copy.buffer,
    offset: 0,
    byteLength: copy.byteLength,
  })
  const values: readonly (number | bigint | string)[] = [...elements]
  if (type === 'bool') return `[${values.map((value) => Number(value) !== 0).join(',')}]`
  if (type !== 'float32' && type !== 'float64') return `[${values.join(',')}]`
  return `[${values.map((value) => formatFloat(Number(value))).join(',')}]`
}

// Whole numbers keep their point, and what is no number has no quotes, as Triton writes them.
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (Object.is(value, -0)) return '-0.0'
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? `${value}.0` : String(value)
}
