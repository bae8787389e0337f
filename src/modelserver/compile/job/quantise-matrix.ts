// The smallest float32 with all its digits. Source: IEEE 754, binary32.
const SMALLEST_NORMAL = 2 ** -126

/** A matrix of `rows` × `columns`, row-major. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly elements: Float32Array
}

/** What of a matrix has a scale of its own. */
export type ScaledPart = 'column' | 'row' | 'matrix'

/** Signed 8-bit integers; times the scale of their part they are the matrix again, nearly. */
export interface QuantisedMatrix {
  readonly elements: Int8Array
  /** One for each column or row, or one for all. */
  readonly scales: Float32Array
}

/**
 * Rounds a matrix to whole multiples of a scale, symmetric about zero.
 *
 * @param levelMax 127, or 64 where the processor adds pairs of products in 16 bits (see `weight-levels.ts`).
 */
export function quantiseMatrix(
  { rows, columns, elements }: Matrix,
  scalesBy: ScaledPart,
  levelMax: number,
): QuantisedMatrix {
  const partCount = { column: columns, row: rows, matrix: 1 }[scalesBy]
  const largest = new Float32Array(partCount)
  const partOf = (index: number): number => {
    if (scalesBy === 'matrix') return 0
    return scalesBy === 'column' ? index % columns : Math.floor(index / columns)
  }
  for (let index = 0; index < elements.length; index += 1) {
    const part = partOf(index)
    largest[part] = Math.max(largest[part] ?? 0, Math.abs(elements[index] ?? 0))
  }
  // A part of zeros has any scale; one next to zero becomes zero, for its scale would lose digits.
  const scales = largest.map((value) => (value / levelMax < SMALLEST_NORMAL ? 1 : value / levelMax))
  const quantised = new Int8Array(rows * columns)
  for (let index = 0; index < elements.length; index += 1) {
    const scaled = (elements[index] ?? 0) / (scales[partOf(index)] ?? 1)
    quantised[index] = Math.max(-levelMax, Math.min(levelMax, Math.round(scaled)))
  }
  return { elements: quantised, scales }
}

/** The matrix with rows and columns exchanged. */
export function transpose({ rows, columns, elements }: Matrix): Matrix {
  const transposed = new Float32Array(elements.length)
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      transposed[column * rows + row] = elements[row * columns + column] ?? 0
    }
  }
  return { rows: columns, columns: rows, elements: transposed }
}
