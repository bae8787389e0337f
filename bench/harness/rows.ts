/** Different rows, so that no signature is seen twice in a row by a cache of this size or smaller. */
export const ROW_COUNT = 512
const WIDTH = 64

/** Inputs of the bench's models: all different, the same list on every run. */
export function makeRows(count: number = ROW_COUNT): number[][] {
  return Array.from({ length: count }, (_, k) =>
    Array.from({ length: WIDTH }, (__, i) => Number(Math.sin(k * WIDTH + i).toFixed(6))),
  )
}

/** One row an invocation, as SageMaker's own containers take it. */
export function encodeInstances(row: readonly number[]): string {
  return JSON.stringify({ instances: [row] })
}

/** The same row for servers that know only the Open Inference Protocol. */
export function encodeV2(row: readonly number[]): string {
  const tensor = { name: 'input', shape: [1, row.length], datatype: 'FP32', data: row }
  return JSON.stringify({ inputs: [tensor] })
}
