import type { Parameters, ParameterValue } from '../../../wire/oip/request-parameters.ts'
import { isDatatype } from '../../../wire/oip/tensor.ts'
import type { Tensor } from '../../../wire/oip/tensor.ts'
import { BODY_ALIGNMENT } from '../../python/channel.ts'
import { read } from '../json-reader.ts'

/** A tensor in the head of a frame: where in the body its bytes are. */
export interface DescribedTensor {
  readonly name: string
  readonly datatype: string
  readonly shape: readonly number[]
  readonly at: number
  readonly bytes: number
}

/** The body of a frame that is being put together. */
export class FrameBody {
  readonly parts: Uint8Array[] = []
  #byteLength = 0

  /** Adds tensors; each begins where elements of any type may. */
  add(tensors: readonly Tensor[]): readonly DescribedTensor[] {
    return tensors.map(({ name, datatype, shape, data }) => {
      const at = this.#byteLength
      const padding = -data.byteLength & (BODY_ALIGNMENT - 1)
      this.parts.push(data)
      if (padding > 0) this.parts.push(PADDING.subarray(0, padding))
      this.#byteLength += data.byteLength + padding
      return { name, datatype, shape, at, bytes: data.byteLength }
    })
  }
}

const PADDING = new Uint8Array(BODY_ALIGNMENT)

/** The tensors that a worker described, as views of the frame's body. */
export function parseTensors(described: unknown, body: Uint8Array): readonly Tensor[] {
  return read.objects(described).map((one) => {
    const datatype = read.text(one['datatype'])
    if (!isDatatype(datatype)) throw new Error(`A Python worker sent a tensor of ${datatype}.`)
    const at = read.number(one['at'])
    const data = body.subarray(at, at + read.number(one['bytes']))
    return { name: read.text(one['name']), datatype, shape: read.numbers(one['shape']), data }
  })
}

/** A 64-bit integer as frames carry it: JSON's numbers are not exact. */
interface WrittenInteger {
  readonly int: string
}

/** A value as frames carry it. */
export function writeValue(value: ParameterValue): string | number | boolean | WrittenInteger {
  return typeof value === 'bigint' ? { int: String(value) } : value
}

/** Parameters as frames carry them. */
export function writeParameters(parameters: Parameters): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...parameters].map(([name, value]) => [name, writeValue(value)]))
}

/** A value that a worker sent; undefined for none. */
export function readValue(value: unknown): ParameterValue | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return value
  }
  const integer = read.text(read.object(value)['int'])
  return integer === '' ? undefined : BigInt(integer)
}

/** Parameters that a worker sent. */
export function readParameters(value: unknown): Parameters {
  return new Map(
    Object.entries(read.object(value)).flatMap(([name, one]): [string, ParameterValue][] => {
      const known = readValue(one)
      return known === undefined ? [] : [[name, known]]
    }),
  )
}
