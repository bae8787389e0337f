import type { Buffer } from 'node:buffer'
import { Refusal } from '../refusal.ts'
import { DATA_TYPE, readGraph } from './graph.ts'
import type { Graph, GraphNode, Weight } from './graph.ts'
import { quantiseMatrix, transpose } from './quantise-matrix.ts'
import type { Matrix } from './quantise-matrix.ts'
import { encodeNode, writeGraph } from './write-graph.ts'
import type { NewNode, NewTensor } from './write-graph.ts'

// DynamicQuantizeLinear exists since opset 11. Source: ONNX operator reference.
const OPSET_MIN = 11
// Below this the extra operators cost more than the smaller products save.
const ELEMENTS_MIN = 1024

/** How weights become integers. */
export interface QuantiseChoices {
  readonly isPerChannel: boolean
  readonly levelMax: number
}

/** How many matrices became integers, and how many could have and did not. */
export interface QuantiseSummary {
  readonly convertedCount: number
  readonly keptCount: number
}

/**
 * Rewrites every MatMul and Gemm by a constant matrix as a product of integers: the activation is quantised as it comes,
 * per tensor (DynamicQuantizeLinear), multiplied (MatMulInteger) and scaled back. Tables that are only looked up in
 * (Gather: embeddings) are stored as integers with a scale for each row. Everything else stays as it is.
 *
 * ```text
 * y = x·W   →   q, s, z = DynamicQuantizeLinear(x)    y = Cast(MatMulInteger(q, W8, z, 0)) · (s · scales)
 * y = W[i]  →   y = Cast(W8[i]) · scales[i]
 * ```
 *
 * @throws Refusal: there is nothing to rewrite, or the model's operators are too old.
 */
export function quantiseGraph(
  path: string,
  targetPath: string,
  choices: QuantiseChoices,
): QuantiseSummary {
  const graph = readGraph(path)
  if (graph.opset < OPSET_MIN) {
    throw new Refusal(
      `int8-dynamic needs opset ${OPSET_MIN} or newer, and the model has opset ${graph.opset}`,
    )
  }
  const rewriting = new Rewriting(graph, choices)
  const nodes = graph.nodes.flatMap((node) => rewriting.rewrite(node))
  const { convertedCount, keptCount } = rewriting
  if (convertedCount === 0) {
    throw new Refusal(
      `int8-dynamic changes nothing in it: it has no MatMul, Gemm or Gather with a constant matrix of ${ELEMENTS_MIN} numbers or more`,
    )
  }
  const { added, removed } = rewriting
  writeGraph(graph, targetPath, { nodes, added: [...added.values()], removed: removed() })
  return { convertedCount, keptCount }
}

/** The operands of a product by a constant. */
interface Product {
  readonly activation: string
  readonly weight: Weight
  readonly isTransposed: boolean
  readonly factor: number
  readonly bias: string | undefined
  readonly output: string
}

class Rewriting {
  readonly #graph: Graph
  readonly #choices: QuantiseChoices
  readonly #weightByName: ReadonlyMap<string, Weight>
  readonly #quantisedActivations = new Set<string>()
  readonly #usesTaken = new Map<string, number>()
  readonly added = new Map<string, NewTensor>()
  convertedCount = 0
  keptCount = 0

  constructor(graph: Graph, choices: QuantiseChoices) {
    this.#graph = graph
    this.#choices = choices
    this.#weightByName = new Map(graph.weights.map((weight) => [weight.name, weight]))
  }

  /** The node as it is, or what stands for it. */
  rewrite(node: GraphNode): readonly Buffer[] {
    const { source } = this.#graph
    const lookUp = this.#lookUp(node)
    if (lookUp !== undefined) {
      this.convertedCount += 1
      return lookUp.map(encodeNode)
    }
    const isProduct = node.domain === '' && (node.opType === 'MatMul' || node.opType === 'Gemm')
    const product = isProduct ? this.#productOf(node) : undefined
    if (product !== undefined) {
      this.convertedCount += 1
      return this.#replace(product).map(encodeNode)
    }
    if (isProduct) this.keptCount += 1
    const { start, end } = node.field.payload
    return [source.read(start, end - start)]
  }

  /** Weights that nothing reads any more. */
  removed = (): ReadonlySet<string> =>
    new Set(
      [...this.#usesTaken]
        .filter(([name, taken]) => taken === this.#graph.useCounts.get(name))
        .map(([name]) => name),
    )

  #productOf({ opType, inputs, outputs, numbers }: GraphNode): Product | undefined {
    const [activation = '', weightName = '', bias = ''] = inputs
    const [output = ''] = outputs
    const weight = this.#constantMatrix(weightName)
    if (weight === undefined || this.#weightByName.has(activation)) return undefined
    if (opType === 'MatMul') {
      return { activation, weight, isTransposed: false, factor: 1, bias: undefined, output }
    }
    const hasOddBias = bias !== '' && (numbers.get('beta') ?? 1) !== 1
    if ((numbers.get('transA') ?? 0) !== 0 || hasOddBias) return undefined
    return {
      activation,
      weight,
      isTransposed: (numbers.get('transB') ?? 0) !== 0,
      factor: numbers.get('alpha') ?? 1,
      bias: bias === '' ? undefined : bias,
      output,
    }
  }

  /** Rows of a constant table, each scaled back after it was found. */
  #lookUp({ opType, domain, inputs, outputs, numbers }: GraphNode): NewNode[] | undefined {
    if (opType !== 'Gather' || domain !== '' || (numbers.get('axis') ?? 0) !== 0) return undefined
    const [tableName = '', indices = ''] = inputs
    const [output = ''] = outputs
    const table = this.#constantMatrix(tableName)
    if (table === undefined) return undefined
    const name = this.#quantiseTable(table)
    const [found, float] = [`${output}/row`, `${output}/row/float`]
    const nodes: NewNode[] = [
      { opType: 'Gather', inputs: [name, indices], outputs: [found] },
      { opType: 'Cast', inputs: [found], outputs: [float], integers: { to: DATA_TYPE.float32 } },
    ]
    if (!this.#choices.isPerChannel) {
      return [...nodes, { opType: 'Mul', inputs: [float, `${name}/scale`], outputs: [output] }]
    }
    const scale = `${output}/row/scale`
    return [
      ...nodes,
      { opType: 'Gather', inputs: [`${name}/scale`, indices], outputs: [scale] },
      { opType: 'Mul', inputs: [float, scale], outputs: [output] },
    ]
  }

  #quantiseTable(table: Weight): string {
    this.#countUse(table)
    const name = `${table.name}/rows`
    if (this.added.has(name)) return name
    const { isPerChannel } = this.#choices
    const matrix = matrixOf(table, false)
    // Nothing is multiplied before it is float again, so that all levels are exact.
    const { elements, scales } = quantiseMatrix(matrix, isPerChannel ? 'row' : 'matrix', 127)
    this.#add(name, DATA_TYPE.int8, [matrix.rows, matrix.columns], elements)
    this.#add(`${name}/scale`, DATA_TYPE.float32, isPerChannel ? [matrix.rows, 1] : [], scales)
    return name
  }

  #countUse({ name }: Weight): void {
    this.#usesTaken.set(name, (this.#usesTaken.get(name) ?? 0) + 1)
  }

  #constantMatrix(name: string): Weight | undefined {
    const weight = this.#weightByName.get(name)
    if (weight === undefined || this.#graph.inputNames.has(name)) return undefined
    const isMatrix = weight.dims.length === 2 && weight.type === DATA_TYPE.float32
    return isMatrix && weight.elementCount >= ELEMENTS_MIN ? weight : undefined
  }

  #replace({ activation, bias, output, ...product }: Product): readonly NewNode[] {
    const weightName = this.#quantiseWeight(product)
    const quantised = `${activation}/int8`
    const sum = bias === undefined ? output : `${output}/product`
    const names = {
      integer: `${output}/integer`,
      float: `${output}/float`,
      scale: `${output}/scale`,
    }
    const nodes: NewNode[] = [
      {
        opType: 'MatMulInteger',
        inputs: [quantised, weightName, `${quantised}/zero`, `${weightName}/zero`],
        outputs: [names.integer],
      },
      {
        opType: 'Cast',
        inputs: [names.integer],
        outputs: [names.float],
        integers: { to: DATA_TYPE.float32 },
      },
      {
        opType: 'Mul',
        inputs: [`${quantised}/scale`, `${weightName}/scale`],
        outputs: [names.scale],
      },
      { opType: 'Mul', inputs: [names.float, names.scale], outputs: [sum] },
    ]
    if (bias !== undefined) nodes.push({ opType: 'Add', inputs: [sum, bias], outputs: [output] })
    // Several products of one activation, as in attention, share its integers.
    if (this.#quantisedActivations.has(activation)) return nodes
    this.#quantisedActivations.add(activation)
    const outputs = [quantised, `${quantised}/scale`, `${quantised}/zero`]
    return [{ opType: 'DynamicQuantizeLinear', inputs: [activation], outputs }, ...nodes]
  }

  #quantiseWeight({
    weight,
    isTransposed,
    factor,
  }: Pick<Product, 'weight' | 'isTransposed' | 'factor'>): string {
    this.#countUse(weight)
    const name = [weight.name, 'int8', isTransposed ? 't' : '', factor === 1 ? '' : factor]
      .filter((part) => part !== '')
      .join('/')
    if (this.added.has(name)) return name
    const { isPerChannel, levelMax } = this.#choices
    const matrix = matrixOf(weight, isTransposed)
    const { elements, scales } = quantiseMatrix(
      matrix,
      isPerChannel ? 'column' : 'matrix',
      levelMax,
    )
    const dims = isPerChannel ? [matrix.columns] : []
    const scaled = scales.map((scale) => scale * factor)
    this.#add(name, DATA_TYPE.int8, [matrix.rows, matrix.columns], elements)
    this.#add(`${name}/scale`, DATA_TYPE.float32, dims, scaled)
    this.#add(`${name}/zero`, DATA_TYPE.int8, dims, new Int8Array(scales.length))
    return name
  }

  #add(
    name: string,
    type: number,
    dims: readonly number[],
    elements: Int8Array | Float32Array,
  ): void {
    const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength)
    this.added.set(name, { name, type, dims, bytes })
  }
}

function matrixOf({ dims, readFloats }: Weight, isTransposed: boolean): Matrix {
  const [rows = 0, columns = 0] = dims
  const matrix = { rows, columns, elements: readFloats() }
  return isTransposed ? transpose(matrix) : matrix
}
