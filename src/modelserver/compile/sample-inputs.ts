import type { Port, Signature } from '../codecs/signature.ts'
import { countElements, createNumbers } from '../codecs/tensor.ts'
import type { Elements, ElementType, NamedTensor } from '../codecs/tensor.ts'

/** How large the dimensions are made that the model leaves open. */
export interface SampleShape {
  /** The first dimension of each input. */
  readonly rowCount: number
  /** Every other open dimension. */
  readonly openDim: number
  /** Dimensions of some inputs, in which a negative one is open; the others have the model's own. */
  readonly dimsByName?: ReadonlyMap<string, readonly number[]>
}

// Past this an input is a mistake: open dimensions multiply.
const ELEMENTS_MAX = 16 * 1024 * 1024

/** Random inputs that fit the signature, or `undefined` when the shape would make them too large. */
export function sampleInputs(
  { inputs }: Signature,
  shape: SampleShape,
  random: () => number,
): readonly NamedTensor[] | undefined {
  const samples: NamedTensor[] = []
  for (const { name, type, dims: declared } of inputs) {
    const dims = chooseDims(shape.dimsByName?.get(name) ?? declared, shape)
    if (countElements(dims) > ELEMENTS_MAX) return undefined
    samples.push({ name, type, dims, elements: sampleElements(type, countElements(dims), random) })
  }
  return samples
}

function chooseDims(declared: Port['dims'], { rowCount, openDim }: SampleShape): readonly number[] {
  return declared.map((dim, index) => {
    if (typeof dim === 'number' && dim >= 0) return dim
    return index === 0 ? rowCount : openDim
  })
}

// Integers are often rows of a table or steps along a shape: 0 and 1 exist in nearly all.
function sampleElements(type: ElementType, count: number, random: () => number): Elements {
  const bit = (): number => (random() < 0.5 ? 0 : 1)
  switch (type) {
    case 'string':
      return Array.from({ length: count }, () => (bit() === 0 ? 'a' : 'b'))
    case 'int64':
      return BigInt64Array.from({ length: count }, () => BigInt(bit()))
    case 'uint64':
      return BigUint64Array.from({ length: count }, () => BigInt(bit()))
    case 'float16':
    case 'float32':
    case 'float64': {
      const elements = createNumbers(type, count)
      for (let index = 0; index < count; index += 1) elements[index] = random() * 2 - 1
      return elements
    }
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'bool': {
      const elements = createNumbers(type, count)
      for (let index = 0; index < count; index += 1) elements[index] = bit()
      return elements
    }
  }
}

/** Numbers in [0, 1) from a seed (mulberry32), so that a refusal can be repeated. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
