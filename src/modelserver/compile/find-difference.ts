import type { Elements, ElementType, NamedTensor } from '../codecs/tensor.ts'

// Other kernels add the same numbers in another order. Of the largest value of the output, because what cancels out
// to nearly nothing keeps the error of what was added.
const TOLERANCE: Partial<Record<ElementType, number>> = {
  float16: 1e-2,
  float32: 1e-4,
  float64: 1e-9,
}

/** How the outputs differ by more than rounding, in words; `undefined` when they do not. */
export function findDifference(
  expected: readonly NamedTensor[],
  given: readonly NamedTensor[],
): string | undefined {
  for (const [index, output] of expected.entries()) {
    const other = given[index]
    if (other === undefined || other.name !== output.name) return `output ${output.name} is missing`
    if (output.type !== other.type || output.dims.join() !== other.dims.join()) {
      return `output ${output.name} has another type or shape`
    }
    const difference = compareElements(output.type, output.elements, other.elements)
    if (difference !== undefined) return `output ${output.name} differs: ${difference}`
  }
  return undefined
}

function compareElements(
  type: ElementType,
  expected: Elements,
  given: Elements,
): string | undefined {
  const relative = TOLERANCE[type] ?? 0
  const largest = largestOf(expected)
  for (let index = 0; index < expected.length; index += 1) {
    const one = expected[index]
    const other = given[index]
    if (Object.is(one, other) || one === other) continue
    const isClose =
      typeof one === 'number' &&
      typeof other === 'number' &&
      Math.abs(one - other) <= relative * largest
    if (!isClose) return `element ${index} is ${String(other)} instead of ${String(one)}`
  }
  return undefined
}

function largestOf(elements: Elements): number {
  let largest = 0
  for (const element of elements) {
    if (typeof element !== 'number') return 0
    const size = Math.abs(element)
    if (size > largest && size < Infinity) largest = size
  }
  return largest
}
