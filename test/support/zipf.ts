/**
 * Draws indexes below `count`, the first ones most often: index `i` in proportion to `1 / (i + 1) ** exponent`.
 *
 * @param random numbers in [0, 1).
 */
export function createZipf(count: number, exponent: number, random: () => number): () => number {
  let sum = 0
  const sums = Float64Array.from({ length: count }, (_, index) => {
    sum += 1 / (index + 1) ** exponent
    return sum
  })
  return () => {
    const drawn = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] ?? 0) > drawn) high = middle
      else low = middle + 1
    }
    return low
  }
}
