import { OipError } from './errors.ts'
import { byteSizeOf, elementCount, joinBytes, type Datatype, type Tensor } from './tensor.ts'

/** More values of one item are not sorted. Source: Triton `classification.cc` since January 2026. */
const VALUES_MAX = 1_000_000

/** Which classes of an output are wanted. */
export interface Classification {
  readonly count: number
  /** Whether the first dimension is a batch of items. */
  readonly isBatched: boolean
  /** Names of the classes by index; none for none. */
  readonly labels: readonly string[]
}

/**
 * The best classes of an output, best first: `<value>:<index>[:<label>]`. Equal values come in the order of their index.
 *
 * @throws OipError `INVALID_ARG`: values of this datatype have no order here, or there are too many.
 */
export function classify(output: Tensor, { count, isBatched, labels }: Classification): Tensor {
  const read = VALUE_READERS[output.datatype]
  const size = byteSizeOf(output.datatype)
  if (read === undefined || size === undefined) {
    const type = output.datatype
    throw invalid(`class result not available for output due to unsupported type '${type}'`)
  }
  const batchSize = isBatched ? (output.shape[0] ?? 1) : 1
  const itemLength = elementCount(isBatched ? output.shape.slice(1) : output.shape)
  if (itemLength > VALUES_MAX) throw invalid('classification output tensor too large')
  const classCount = Math.min(count, itemLength)
  const view = new DataView(output.data.buffer, output.data.byteOffset, output.data.byteLength)
  const texts: Uint8Array[] = []
  for (let item = 0; item < batchSize; item++) {
    const start = item * itemLength
    const values = Array.from({ length: itemLength }, (_, index) =>
      read(view, (start + index) * size),
    )
    for (const index of bestOf(values, classCount)) {
      const label = labels[index] ?? ''
      const text = `${formatValue(values[index] ?? 0, output.datatype)}:${index}`
      texts.push(Buffer.from(label === '' ? text : `${text}:${label}`))
    }
  }
  const shape = isBatched ? [batchSize, classCount] : [classCount]
  return { name: output.name, datatype: 'BYTES', shape, data: joinBytes(texts) }
}

function bestOf(values: readonly (number | bigint)[], count: number): readonly number[] {
  const compare = (a: number, b: number): number => {
    const [left = 0, right = 0] = [values[a], values[b]]
    return left > right ? -1 : left < right ? 1 : a - b
  }
  return [...values.keys()].toSorted(compare).slice(0, count)
}

// As C++'s `to_string`.
function formatValue(value: number | bigint, datatype: Datatype): string {
  if (datatype !== 'FP32' && datatype !== 'FP64') return String(value)
  const number = Number(value)
  if (Number.isNaN(number)) return 'nan'
  if (!Number.isFinite(number)) return number > 0 ? 'inf' : '-inf'
  // `toFixed` changes to exponents there.
  if (Math.abs(number) >= 1e21) return `${BigInt(number)}.000000`
  return number.toFixed(6)
}

type ReadValue = (view: DataView, at: number) => number | bigint

const VALUE_READERS: Readonly<Partial<Record<Datatype, ReadValue>>> = {
  UINT8: (view, at) => view.getUint8(at),
  UINT16: (view, at) => view.getUint16(at, true),
  UINT32: (view, at) => view.getUint32(at, true),
  UINT64: (view, at) => view.getBigUint64(at, true),
  INT8: (view, at) => view.getInt8(at),
  INT16: (view, at) => view.getInt16(at, true),
  INT32: (view, at) => view.getInt32(at, true),
  INT64: (view, at) => view.getBigInt64(at, true),
  FP32: (view, at) => view.getFloat32(at, true),
  FP64: (view, at) => view.getFloat64(at, true),
}

function invalid(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
