import { byteSizeOf, elementCount } from '../../wire/oip/tensor.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { CorrelationControl, FlagControl, SequenceBatching } from './sequence-batching.ts'

/** What the control inputs of a row are to say. */
export interface RowControls {
  readonly isReady: boolean
  readonly isStart: boolean
  readonly isEnd: boolean
  readonly correlationId: bigint | string
}

/** A row that is there only to keep its place. */
export const NOT_READY: RowControls = {
  isReady: false,
  isStart: false,
  isEnd: false,
  correlationId: 0n,
}

/** The control inputs of one row, each of one element. */
export function controlInputs(
  { flags, correlation }: Pick<SequenceBatching, 'flags' | 'correlation'>,
  row: RowControls,
  isBatched: boolean,
): readonly Tensor[] {
  const shape = isBatched ? [1, 1] : [1]
  const tensors = flags.map(({ name, datatype, kind, falseTrue }): Tensor => {
    const value = falseTrue[isSet(kind, row) ? 1 : 0]
    return { name, datatype, shape, data: encodeFlag(datatype, value) }
  })
  if (correlation === undefined) return tensors
  const { name, datatype } = correlation
  return [...tensors, { name, datatype, shape, data: encodeCorrelation(correlation, row) }]
}

function isSet(kind: FlagControl['kind'], { isReady, isStart, isEnd }: RowControls): boolean {
  if (kind === 'ready') return isReady
  return kind === 'start' ? isStart : isEnd
}

function encodeFlag(datatype: FlagControl['datatype'], value: number): Uint8Array {
  if (datatype === 'BOOL') return Uint8Array.of(value)
  const list = datatype === 'INT32' ? Int32Array.of(value) : Float32Array.of(value)
  return new Uint8Array(list.buffer)
}

function encodeCorrelation(
  { datatype }: CorrelationControl,
  { correlationId }: RowControls,
): Uint8Array {
  if (datatype === 'BYTES') {
    const text = Buffer.from(typeof correlationId === 'string' ? correlationId : '', 'utf8')
    const length = new Uint8Array(Uint32Array.of(text.length).buffer)
    return new Uint8Array(Buffer.concat([length, text]))
  }
  const id = typeof correlationId === 'bigint' ? correlationId : 0n
  const whole = new Uint8Array(BigInt64Array.of(BigInt.asIntN(64, id)).buffer)
  return whole.subarray(0, byteSizeOf(datatype))
}

const BITS_BY_DATATYPE: Readonly<Record<string, number>> = {
  UINT64: 64,
  INT64: 63,
  UINT32: 32,
  INT32: 31,
}

/**
 * Why a model cannot be told of this correlation id; undefined when it can. An id that does not fit is refused: cut off, it
 * would be another sequence's.
 */
export function findCorrelationProblem(
  model: string,
  control: CorrelationControl | undefined,
  correlationId: bigint | string,
): string | undefined {
  if (control === undefined) return undefined
  const { name, datatype } = control
  const given = typeof correlationId === 'string' ? 'BYTES' : 'UINT64'
  if ((given === 'BYTES') !== (datatype === 'BYTES')) {
    return `sequence batching control '${name}' data-type is '${given}', but model '${model}' expects '${datatype}'`
  }
  const bits = BITS_BY_DATATYPE[datatype]
  if (typeof correlationId === 'string' || bits === undefined || correlationId < 1n << BigInt(bits))
    return undefined
  return `sequence id ${correlationId} does not fit control '${name}' of model '${model}', which is ${datatype}`
}

/** A tensor of the same shape with no content: zeros, or empty texts. */
export function emptyLike({ name, datatype, shape }: Tensor): Tensor {
  // An empty text is its length alone.
  const data = new Uint8Array(elementCount(shape) * (byteSizeOf(datatype) ?? 4))
  return { name, datatype, shape, data }
}
