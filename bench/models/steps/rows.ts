/** Rows as callers send them, each scaled to mean 0 and deviation 1. */
export function scaleRows(rows: readonly (readonly number[])[]): number[][] {
  return rows.map((row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length
    const deviation = Math.sqrt(variance) || 1
    return row.map((value) => (value - mean) / deviation)
  })
}

/** The class with the largest score of each row. */
export function nameLargest(
  rows: readonly (readonly number[])[],
): { readonly name: string; readonly score: number }[] {
  return rows.map((scores) => {
    const score = Math.max(...scores)
    return { name: `class ${scores.indexOf(score)}`, score }
  })
}
