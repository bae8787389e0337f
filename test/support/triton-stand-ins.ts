import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { encodeOnnx } from './onnx.ts'
import type { OnnxGraph } from './onnx.ts'

const MODELS = resolve(import.meta.dirname, '../fixtures/triton/repository')

type Dims = readonly (number | string)[]

function identity(dims: Dims, type?: 'int32' | 'string'): OnnxGraph {
  return {
    nodes: [{ operator: 'Identity', inputs: ['INPUT0'], outputs: ['OUTPUT0'] }],
    weights: {},
    inputs: { INPUT0: dims },
    outputs: { OUTPUT0: dims },
    ...(type !== undefined && { types: { INPUT0: type, OUTPUT0: type } }),
  }
}

/** ONNX models that do what Python models of the recordings do. */
const STAND_INS: Readonly<Record<string, OnnxGraph>> = {
  simple: {
    nodes: [
      { operator: 'Add', inputs: ['INPUT0', 'INPUT1'], outputs: ['OUTPUT0'] },
      { operator: 'Sub', inputs: ['INPUT0', 'INPUT1'], outputs: ['OUTPUT1'] },
    ],
    weights: {},
    inputs: { INPUT0: ['n', 16], INPUT1: ['n', 16] },
    outputs: { OUTPUT0: ['n', 16], OUTPUT1: ['n', 16] },
    types: { INPUT0: 'int32', INPUT1: 'int32', OUTPUT0: 'int32', OUTPUT1: 'int32' },
  },
  identity_fp32: identity(['n', 'm']),
  identity_bytes: identity(['n', 'm'], 'string'),
  batcher: identity(['n', 2]),
  matrix: identity([2, 'm']),
  grid: identity(['n', 'm']),
  cpu_default: identity([1]),
  raw_bytes: identity(['n', 1], 'string'),
  classes_bytes: identity(['n'], 'string'),
}

/** Names of the models of the recordings that have a stand-in, and of those that have none. */
export function sortModels(): { readonly stoodIn: string[]; readonly waiting: string[] } {
  const names = readdirSync(MODELS).toSorted()
  return {
    stoodIn: names.filter((name) => name in STAND_INS),
    waiting: names.filter((name) => !(name in STAND_INS)),
  }
}

/** Writes the stand-ins, with the configurations of the models they stand for. */
export function writeStandIns(to: string): void {
  for (const [name, graph] of Object.entries(STAND_INS)) {
    const from = join(MODELS, name)
    const folder = join(to, name)
    const config = readFileSync(join(from, 'config.pbtxt'), 'utf8')
    for (const entry of readdirSync(from)) {
      if (!/^\d+$/.test(entry)) continue
      mkdirSync(join(folder, entry), { recursive: true })
      writeFileSync(join(folder, entry, 'model.onnx'), encodeOnnx(graph))
    }
    if (name === 'simple') cpSync(join(from, 'labels.txt'), join(folder, 'labels.txt'))
    writeFileSync(
      join(folder, 'config.pbtxt'),
      // One instance, which is what a Python model has when nothing is said.
      config
        .replace('backend: "python"', 'backend: "onnxruntime"')
        .replace('kind: KIND_CPU', 'kind: KIND_CPU count: 1'),
    )
  }
}
