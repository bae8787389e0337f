import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { DEFAULT_COMPILATION_OPTIONS } from '../../src/domain/compilation-options.ts'
import type { CompilationOptions, Quantization } from '../../src/domain/compilation-options.ts'
import { compileJob } from '../../src/modelserver/compile/job/compile-job.ts'
import { readGraph } from '../../src/modelserver/compile/job/graph.ts'
import { seededRandom } from '../../src/modelserver/compile/sample-inputs.ts'
import { encodeOnnx } from '../support/onnx.ts'
import type { OnnxGraph, OnnxNode } from '../support/onnx.ts'
import { fixtureModel } from '../support/upload.ts'

const WIDTH = 64

function matrix(seed: number, rows = WIDTH, columns = WIDTH) {
  const random = seededRandom(seed)
  const values = Float32Array.from({ length: rows * columns }, () => random() * 2 - 1)
  return { dims: [rows, columns], values }
}

function vector(seed: number, length = WIDTH) {
  const { values } = matrix(seed, 1, length)
  return { dims: [length], values }
}

function graph(
  nodes: readonly OnnxNode[],
  weights: OnnxGraph['weights'],
  changes: Partial<OnnxGraph> = {},
): OnnxGraph {
  const inputs = { x: ['N', WIDTH] }
  return { nodes, weights, inputs, outputs: { y: ['N', WIDTH] }, ...changes }
}

const product = (a: string, b: string, output = 'y', operator = 'MatMul'): OnnxNode => ({
  operator,
  inputs: [a, b],
  outputs: [output],
})

/** Compiles in folders of its own. */
async function compile(
  t: TestContext,
  model: Buffer | OnnxGraph,
  changes: Partial<CompilationOptions> & { readonly quantization: Quantization },
) {
  const folder = mkdtempSync(join(tmpdir(), 'berth-compile-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [modelDirectory, outputDirectory, workDirectory] = ['model', 'output', 'work'].map(
    (name) => {
      mkdirSync(join(folder, name))
      return join(folder, name)
    },
  ) as [string, string, string]
  const bytes = Buffer.isBuffer(model) ? model : encodeOnnx(model)
  writeFileSync(join(modelDirectory, 'model.onnx'), bytes)
  const options = { ...DEFAULT_COMPILATION_OPTIONS, tolerance: 0.05, ...changes }
  const { samples } = options
  const request = { modelDirectory, outputDirectory, workDirectory, options, samples, shapes: {} }
  const { report } = await compileJob(request)
  const path = join(outputDirectory, 'model.onnx')
  return { report, graph: readGraph(path), path, outputDirectory }
}

/** Graphs whose products can all become integers. */
const QUANTISABLE: readonly {
  readonly given: string
  readonly model: OnnxGraph
  readonly count: number
}[] = [
  { given: 'a product', model: graph([product('x', 'w')], { w: matrix(1) }), count: 1 },
  {
    given: 'a Gemm with its matrix transposed, a factor and a bias',
    model: graph(
      [
        {
          operator: 'Gemm',
          inputs: ['x', 'w', 'b'],
          outputs: ['y'],
          attributes: { transB: 1, alpha: { float: 2.5 } },
        },
      ],
      { w: matrix(1, 48), b: vector(2, 48) },
      { outputs: { y: ['N', 48] } },
    ),
    count: 1,
  },
  {
    given: 'three products of one activation',
    model: graph(
      [
        product('x', 'q', 'a'),
        product('x', 'k', 'b'),
        product('x', 'v', 'c'),
        product('a', 'b', 'ab', 'Add'),
        product('ab', 'c', 'y', 'Add'),
      ],
      { q: matrix(1), k: matrix(2), v: matrix(3) },
    ),
    count: 3,
  },
  {
    given: 'one matrix used twice, once transposed',
    model: graph(
      [
        product('x', 'w', 'a'),
        { operator: 'Gemm', inputs: ['a', 'w'], outputs: ['y'], attributes: { transB: 1 } },
      ],
      { w: matrix(1) },
    ),
    count: 2,
  },
  {
    given: 'a table of embeddings in front of a product',
    model: graph(
      [
        { operator: 'Gather', inputs: ['table', 'x'], outputs: ['e'] },
        { operator: 'ReduceMean', inputs: ['e'], outputs: ['m'], attributes: { keepdims: 1 } },
        product('e', 'w', 'p'),
        product('p', 'm', 'y', 'Add'),
      ],
      { table: matrix(1, 100), w: matrix(2) },
      {
        inputs: { x: ['N', 'words'] },
        integers: ['x'],
        outputs: { y: ['N', 'words', WIDTH] },
      },
    ),
    count: 2,
  },
  {
    given: 'activations of three dimensions',
    model: graph(
      [product('x', 'w', 'a'), { operator: 'Relu', inputs: ['a'], outputs: ['y'] }],
      { w: matrix(1) },
      {
        inputs: { x: ['N', 'words', WIDTH] },
        outputs: { y: ['N', 'words', WIDTH] },
      },
    ),
    count: 1,
  },
]

for (const { given, model, count } of QUANTISABLE) {
  for (const isPerChannel of [true, false]) {
    test(`int8, ${isPerChannel ? 'per channel' : 'per tensor'}: ${given}`, async (t) => {
      const { report, graph: compiled } = await compile(t, model, {
        quantization: 'int8-dynamic',
        isPerChannel,
      })
      assert.equal(report.weights.convertedCount, count)
      assert.equal(report.weights.keptCount, 0)
      // Far from equal, or nothing was rounded; far from another model.
      assert.ok(report.difference.largestShare > 1e-5, JSON.stringify(report.difference))
      assert.ok(report.difference.largestShare < 0.02, JSON.stringify(report.difference))
      assert.ok(report.after.bytes < report.before.bytes * 0.6)
      const left = compiled.weights.filter(
        ({ type, dims }) => type === 1 && dims.length === 2 && dims[1] !== 1,
      )
      assert.deepEqual(
        left.map(({ name }) => name),
        [],
      )
      assert.ok(
        compiled.nodes.some(({ opType }) => /^(DynamicQuantizeMatMul|MatMulInteger)/.test(opType)),
      )
    })
  }
}

test('one scale for each column is closer than one for all when columns differ in size', async (t) => {
  const w = matrix(1)
  const scaled = w.values.map((value, index) => value * 10 ** ((index % WIDTH) % 4))
  const ones = Float32Array.from({ length: WIDTH }, (_, column) => 10 ** -(column % 4))
  const model = graph([product('x', 'w', 'a'), product('a', 's', 'y', 'Mul')], {
    w: { dims: w.dims, values: scaled },
    s: { dims: [WIDTH], values: ones },
  })
  const options = { quantization: 'int8-dynamic', tolerance: 1 } as const
  const perTensor = await compile(t, model, { ...options, isPerChannel: false })
  const perChannel = await compile(t, model, { ...options, isPerChannel: true })
  const shares = [perChannel, perTensor].map(({ report }) => report.difference.largestShare)
  assert.ok((shares[0] ?? 1) < (shares[1] ?? 0) / 10, shares.join(' '))
})

test('products that are none by a constant stay, and are counted', async (t) => {
  const model = graph(
    [
      product('x', 'w', 'a'),
      { operator: 'Transpose', inputs: ['a'], outputs: ['at'] },
      product('at', 'a', 'aa'),
      product('x', 'aa', 'y'),
    ],
    { w: matrix(1) },
  )
  const { report } = await compile(t, model, { quantization: 'int8-dynamic' })
  assert.equal(report.weights.convertedCount, 1)
  assert.equal(report.weights.keptCount, 2)
})

for (const quantization of ['none', 'fp16'] as const) {
  test(`${quantization}: weights in a file of their own are on pages`, async (t) => {
    const model = graph([product('x', 'w', 'a'), product('a', 'v')], {
      w: matrix(1, WIDTH, 4096),
      v: matrix(2, 4096, WIDTH),
    })
    const { report, outputDirectory } = await compile(t, model, { quantization })
    const isHalf = quantization === 'fp16'
    const share = report.after.bytes / report.before.bytes
    assert.ok(isHalf ? share < 0.51 : share < 1.01, String(share))
    assert.ok(report.difference.largestShare < (isHalf ? 2e-3 : 1e-5))
    assert.equal(report.difference.largestShare > 0, isHalf)
    const data = statSync(join(outputDirectory, 'model.onnx.data'), { throwIfNoEntry: false })
    assert.equal(data === undefined, isHalf)
  })
}

test('fp16: weights that float16 cannot hold stay as they are', async (t) => {
  const w = matrix(1)
  w.values[0] = 1e6
  const model = graph([product('x', 'w', 'a'), product('a', 'v')], { w, v: matrix(2) })
  const { report } = await compile(t, model, { quantization: 'fp16' })
  assert.deepEqual({ ...report.weights }, { convertedCount: 1, keptCount: 1, flushedCount: 0 })
})

test('weights next to zero become zero, and nothing else changes', async (t) => {
  const w = matrix(1)
  for (let index = 0; index < 100; index += 1) w.values[index] = 1e-40
  const model = graph([product('x', 'w')], { w })
  const { report, graph: compiled } = await compile(t, model, { quantization: 'none' })
  assert.equal(report.weights.flushedCount, 100)
  assert.ok(report.difference.largestShare < 1e-6)
  const [weight] = compiled.weights.filter(({ dims }) => dims.length === 2)
  assert.deepEqual(
    weight?.readFloats().slice(0, 101),
    Float32Array.from([...Array(100).fill(0), w.values[100]]),
  )
})

for (const { given, model, quantization, message } of [
  {
    given: 'operators too old for integers',
    model: encodeOnnx({ ...graph([product('x', 'w')], { w: matrix(1) }), opset: 10 }),
    quantization: 'int8-dynamic',
    message: /int8-dynamic needs opset 11 or newer, and the model has opset 10/,
  },
  {
    given: 'a model with chance in it',
    model: encodeOnnx(
      graph(
        [
          {
            operator: 'RandomNormalLike',
            inputs: ['x'],
            outputs: ['r'],
          },
          product('r', 'w'),
        ],
        { w: matrix(1) },
      ),
    ),
    quantization: 'none',
    message: /answers the same input differently each time/,
  },
  {
    given: 'a file that is no model',
    model: Buffer.from('<html>'),
    quantization: 'none',
    message: /model\.onnx is not a valid ONNX file: it is an HTML or XML page/,
  },
  {
    given: 'an operator that nobody has',
    model: fixtureModel('unknown-operator.onnx'),
    quantization: 'none',
    message: /uses the operator Frobnicate/,
  },
] as const) {
  test(`is told in words: ${given}`, async (t) => {
    await assert.rejects(compile(t, model, { quantization }), { message })
  })
}
