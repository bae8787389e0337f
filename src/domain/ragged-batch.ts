/** What a model may be told of a batch whose requests have different sizes. */
export type BatchInputKind =
  | 'BATCH_ELEMENT_COUNT'
  | 'BATCH_ACCUMULATED_ELEMENT_COUNT'
  | 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO'
  | 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE'
  | 'BATCH_ITEM_SHAPE'
  | 'BATCH_ITEM_SHAPE_FLATTEN'

/** A tensor that tells it. */
export interface BatchDescription {
  readonly shape: readonly number[]
  readonly values: readonly number[]
}

/**
 * Describes a batch by the shapes that one input has in its requests, batch dimension first. Source: reference §6.4.
 *
 * ```text
 * [1,3], [2,2]: element counts 3, 4; accumulated 3, 7; with zero 0, 3, 7; as shape [4]; item shapes [[3],[2],[2]]
 * ```
 */
export function describeBatch(
  kind: BatchInputKind,
  shapes: readonly (readonly number[])[],
): BatchDescription {
  const counts = shapes.map((shape) => shape.reduce((product, dim) => product * dim, 1))
  switch (kind) {
    case 'BATCH_ELEMENT_COUNT':
      return row(counts)
    case 'BATCH_ACCUMULATED_ELEMENT_COUNT':
      return row(accumulate(counts))
    case 'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO':
      return row([0, ...accumulate(counts)])
    case 'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE': {
      const largest = Math.max(0, ...counts)
      return row(Array.from({ length: largest }, () => 0))
    }
    case 'BATCH_ITEM_SHAPE': {
      const values = itemShapes(shapes)
      const width = (shapes[0]?.length ?? 1) - 1
      return { shape: [itemCount(shapes), width], values }
    }
    case 'BATCH_ITEM_SHAPE_FLATTEN':
      return row(itemShapes(shapes))
  }
}

function row(values: readonly number[]): BatchDescription {
  return { shape: [values.length], values }
}

function accumulate(counts: readonly number[]): readonly number[] {
  let sum = 0
  return counts.map((count) => (sum += count))
}

function itemCount(shapes: readonly (readonly number[])[]): number {
  return shapes.reduce((sum, [rowCount = 1]) => sum + rowCount, 0)
}

function itemShapes(shapes: readonly (readonly number[])[]): readonly number[] {
  return shapes.flatMap(([rowCount = 1, ...item]) =>
    Array.from({ length: rowCount }, () => item).flat(),
  )
}
