import { OipError } from './errors.ts'
import { splitBytes, type Datatype, type Tensor } from './tensor.ts'

/**
 * The elements of a tensor as a flat JSON array.
 *
 * Bytes that are no UTF-8 become U+FFFD, where Triton sends JSON that is none.
 *
 * @throws OipError `INVALID_ARG`: FP16 and BF16 have no JSON form.
 */
export function tensorToJson({ datatype, data }: Pick<Tensor, 'datatype' | 'data'>): string {
  if (datatype === 'BYTES') return JSON.stringify(splitBytes(data).map(textOf))
  return `[${numbersToText(datatype, data, JSON_FORM)}]`
}

/** How elements are spelt that are no integers. */
export interface NumberForm {
  readonly truth: (value: number) => string
  readonly fraction: (value: number) => string
}

const JSON_FORM: NumberForm = {
  truth: (value) => (value === 0 ? 'false' : 'true'),
  fraction: formatDouble,
}

/**
 * The elements of a tensor of numbers, with commas between them.
 *
 * @throws OipError `INVALID_ARG`: FP16 and BF16 have no text.
 */
export function numbersToText(
  datatype: Exclude<Datatype, 'BYTES'>,
  data: Uint8Array,
  form: NumberForm,
): string {
  const { size, read } = readerOf(datatype)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let text = ''
  for (let at = 0; at + size <= data.length; at += size) {
    text += at === 0 ? read(view, at, form) : `,${read(view, at, form)}`
  }
  return text
}

/** Text of bytes that are most often UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

interface Reader {
  readonly size: number
  readonly read: (view: DataView, at: number, form: NumberForm) => string
}

function readerOf(datatype: Exclude<Datatype, 'BYTES'>): Reader {
  const reader = READERS[datatype]
  if (reader !== undefined) return reader
  throw new OipError(
    'INVALID_ARG',
    `sending ${datatype} data via JSON is not supported. Please use the binary data format for output`,
  )
}

const READERS: Readonly<Record<Exclude<Datatype, 'BYTES'>, Reader | undefined>> = {
  BOOL: { size: 1, read: (view, at, { truth }) => truth(view.getUint8(at)) },
  UINT8: { size: 1, read: (view, at) => String(view.getUint8(at)) },
  UINT16: { size: 2, read: (view, at) => String(view.getUint16(at, true)) },
  UINT32: { size: 4, read: (view, at) => String(view.getUint32(at, true)) },
  UINT64: { size: 8, read: (view, at) => String(view.getBigUint64(at, true)) },
  INT8: { size: 1, read: (view, at) => String(view.getInt8(at)) },
  INT16: { size: 2, read: (view, at) => String(view.getInt16(at, true)) },
  INT32: { size: 4, read: (view, at) => String(view.getInt32(at, true)) },
  INT64: { size: 8, read: (view, at) => String(view.getBigInt64(at, true)) },
  FP16: undefined,
  FP32: { size: 4, read: (view, at, { fraction }) => fraction(view.getFloat32(at, true)) },
  FP64: { size: 8, read: (view, at, { fraction }) => fraction(view.getFloat64(at, true)) },
  BF16: undefined,
}

/** A number as RapidJSON writes it: whole ones keep their point, and what is no number has no quotes. */
export function formatDouble(value: number): string {
  if (Number.isInteger(value)) {
    if (Object.is(value, -0)) return '-0.0'
    return Math.abs(value) < 1e21 ? `${value}.0` : String(value).replace('+', '')
  }
  if (Number.isFinite(value)) return String(value)
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? 'Infinity' : '-Infinity'
}
