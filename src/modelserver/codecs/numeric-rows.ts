import type { Buffer } from 'node:buffer'
import { RowScanner } from './row-scanner.ts'
import type { Port } from './signature.ts'
import { countElements } from './tensor.ts'
import type { NamedTensor } from './tensor.ts'

/** A model's only input, of float32 rows whose size it fixes. */
export interface NumericPort {
  readonly port: Port
  readonly rowDims: readonly number[]
  readonly rowElements: number
  readonly scanner: RowScanner
}

/** @returns undefined when rows for the model cannot be read the short way. */
export function findNumericPort(inputs: readonly Port[]): NumericPort | undefined {
  const [port] = inputs
  if (inputs.length !== 1 || port?.type !== 'float32' || typeof port.dims[0] !== 'string')
    return undefined
  const rowDims = port.dims.slice(1)
  if (!rowDims.every((dim) => typeof dim === 'number')) return undefined
  return { port, rowDims, rowElements: countElements(rowDims), scanner: new RowScanner() }
}

/**
 * `{"instances": [[1, 2.5], …]}` straight into a float32 tensor: what nearly every JSON request of a model of one numeric
 * input is. The general way (`request.ts`, `bind.ts`) builds three arrays on the way and looks at each value through two
 * closures: 19 µs instead of 2 for a row of 64.
 *
 * @returns undefined for everything that is not plainly that, rows of a wrong length included: the general way reads it,
 * or says what is wrong.
 */
export function readNumericRows(body: Buffer, numeric: NumericPort): NamedTensor | undefined {
  const { port, rowDims, rowElements, scanner } = numeric
  const elements = scanner.scan(body, rowElements)
  if (elements === undefined) return undefined
  const dims = [elements.length / rowElements, ...rowDims]
  return { name: port.name, type: 'float32', dims, elements }
}
