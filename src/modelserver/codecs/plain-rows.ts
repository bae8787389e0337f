import { Buffer } from 'node:buffer'
import type { Outcome } from './reply.ts'

/**
 * `{"predictions":[[0.1,0.9],…]}` of one float matrix, the same bytes as `reply.ts` writes. That one builds nested arrays
 * and has them walked again: 9 µs instead of 3 for a row of 10.
 *
 * @returns undefined for every other outcome, numbers that JSON does not have included.
 */
export function writePlainRows({ outputs, presentation, isColumnar }: Outcome): Buffer | undefined {
  const [output] = outputs
  if (output === undefined || outputs.length !== 1) return undefined
  if (isColumnar || presentation.kind !== 'plain' || output.dims.length !== 2) return undefined
  const { elements } = output
  if (!(elements instanceof Float32Array || elements instanceof Float64Array)) return undefined
  const width = output.dims[1] ?? 0
  if (width === 0) return undefined
  let text = '{"predictions":['
  for (let index = 0; index < elements.length; index += 1) {
    const value = elements[index] ?? NaN
    if (!Number.isFinite(value)) return undefined
    const before = index % width === 0 ? (index === 0 ? '[' : '],[') : ','
    text += before + String(value)
  }
  return Buffer.from(elements.length === 0 ? `${text}]}` : `${text}]]}`, 'latin1')
}
