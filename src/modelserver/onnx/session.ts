/// <reference lib="esnext.float16" />
import type { Buffer } from 'node:buffer'
import * as ort from 'onnxruntime-node'
import type { Dim, Port, Signature } from '../codecs/signature.ts'
import { ELEMENT_TYPES } from '../codecs/tensor.ts'
import type { Elements, ElementType, NamedTensor } from '../codecs/tensor.ts'
import { StartFailure } from '../start-failure.ts'

/** A loaded model: tensors in, tensors out. The only importer of onnxruntime-node. */
export interface Session {
  readonly signature: Signature
  /** Blocks its thread while the model runs; the promise resolves after. */
  run(inputs: readonly NamedTensor[]): Promise<readonly NamedTensor[]>
  /** Gives its memory back. Nothing may run or be run any more. */
  close(): Promise<void>
}

/** How a session is created. */
export interface SessionChoices {
  /**
   * Whether weights are rearranged for this processor while loading: about a millisecond per megabyte and, unless the
   * file holds them rearranged as well, a private copy; batches then run up to twice as fast. True by default.
   */
  readonly isPrepacked?: boolean
  /** How far the graph is optimised. @defaultValue `all`, whose result fits this kind of processor only */
  readonly level?: 'disabled' | 'basic' | 'extended' | 'all'
  /** Writes the optimised model here, its larger tensors, plain and rearranged, to a file beside it. */
  readonly saveTo?: SavedModel
  /** Threads of one run, within an operator and beside each other; 0: as many as there are cores. @defaultValue 1 */
  readonly threads?: { readonly withinOperator?: number; readonly betweenOperators?: number }
  /** Whether operators that do not need each other run at the same time. @defaultValue `sequential` */
  readonly executionMode?: 'sequential' | 'parallel'
  readonly usesMemoryArena?: boolean
  readonly usesMemoryPattern?: boolean
  /** Configuration entries of ONNX Runtime, by what follows `session.` in their keys. */
  readonly entries?: Readonly<Record<string, string>>
}

/** Where ONNX Runtime writes an optimised model. */
export interface SavedModel {
  readonly path: string
  /** Name of the file of weights, in the same folder. */
  readonly weightsName: string
  /** Tensors below this stay in the model's own file. */
  readonly weightBytesMin: number
}

// One thread a worker, and none that spins while it waits: scale is by workers.
const NO_SPINNING = { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } }

function sessionOptions({
  isPrepacked = true,
  level = 'all',
  saveTo,
  threads,
  executionMode = 'sequential',
  usesMemoryArena,
  usesMemoryPattern,
  entries,
}: SessionChoices): ort.InferenceSession.SessionOptions {
  // Source: onnxruntime_session_options_config_keys.h of 1.30.
  const saving = saveTo && {
    optimized_model_external_initializers_file_name: saveTo.weightsName,
    optimized_model_external_initializers_min_size_in_bytes: String(saveTo.weightBytesMin),
    save_external_prepacked_constant_initializers: '1',
  }
  return {
    intraOpNumThreads: threads?.withinOperator ?? 1,
    interOpNumThreads: threads?.betweenOperators ?? 1,
    executionMode,
    ...(usesMemoryArena !== undefined && { enableCpuMemArena: usesMemoryArena }),
    ...(usesMemoryPattern !== undefined && { enableMemPattern: usesMemoryPattern }),
    graphOptimizationLevel: level,
    // Only what is fatal: the causes of a failure come back as errors, and we say them in our words.
    logSeverityLevel: 4,
    ...(saveTo && { optimizedModelFilePath: saveTo.path }),
    extra: {
      session: {
        ...NO_SPINNING,
        ...saving,
        ...(!isPrepacked && { disable_prepacking: '1' }),
        ...entries,
      },
    },
  }
}

/** Which ONNX Runtime this is; an optimised model is made for one version. */
export function runtimeVersion(): string {
  return ort.env.versions.node ?? ort.env.versions.common
}

/**
 * Loads a model from its path (external weights are found beside it), or from bytes that replace the file's.
 *
 * @throws Error ONNX Runtime's own: the model cannot be loaded.
 * @throws StartFailure `modelUnsupported`: an input or output is not a tensor of a type that can be served.
 */
export async function createSession(
  pathOrBytes: string | Buffer,
  choices: SessionChoices = {},
): Promise<Session> {
  const options = sessionOptions(choices)
  ort.env.logLevel = 'fatal'
  keepFloat16AsBits()
  // The declarations have an overload for each, not for both.
  const session =
    typeof pathOrBytes === 'string'
      ? await ort.InferenceSession.create(pathOrBytes, options)
      : await ort.InferenceSession.create(pathOrBytes, options)
  const signature = {
    inputs: session.inputMetadata.map((metadata) => toPort('input', metadata)),
    outputs: session.outputMetadata.map((metadata) => toPort('output', metadata)),
  }
  return {
    signature,
    run: async (inputs) => fromRuntime(await session.run(toRuntime(inputs)), signature),
    close: () => session.release(),
  }
}

/**
 * onnxruntime-common takes Float16Array for float16 wherever the engine has it, and the native binding of 1.30
 * does not know that array: a run ends with "not enough space: expected 4, got 0". It decides once, at the first
 * tensor; hidden at that moment, float16 travels as Uint16Array, which works.
 */
function keepFloat16AsBits(): void {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'Float16Array')
  if (descriptor === undefined) return
  Reflect.deleteProperty(globalThis, 'Float16Array')
  void new ort.Tensor('bool', new Uint8Array(1), [1])
  Object.defineProperty(globalThis, 'Float16Array', descriptor)
}

function toPort(role: 'input' | 'output', metadata: ort.InferenceSession.ValueMetadata): Port {
  if (!metadata.isTensor) {
    throw new StartFailure(
      'modelUnsupported',
      `the ${role} ${metadata.name} is a sequence or map, and only tensors can be served`,
    )
  }
  const type = toElementType(metadata.type)
  if (type === undefined) {
    throw new StartFailure(
      'modelUnsupported',
      `the ${role} ${metadata.name} has elements of ${metadata.type}`,
    )
  }
  const dims = metadata.shape.map((dim): Dim => (dim === '' ? '?' : dim))
  return { name: metadata.name, type, dims }
}

function toElementType(type: string): ElementType | undefined {
  return ELEMENT_TYPES.find((known) => known === type)
}

function toRuntime(inputs: readonly NamedTensor[]): Record<string, ort.Tensor> {
  return Object.fromEntries(
    inputs.map(({ name, type, dims, elements }) => {
      const data =
        elements instanceof Float16Array
          ? new Uint16Array(elements.buffer, elements.byteOffset, elements.length)
          : elements
      return [name, new ort.Tensor(type, data, dims)]
    }),
  )
}

function fromRuntime(
  results: ort.InferenceSession.ReturnType,
  { outputs }: Signature,
): readonly NamedTensor[] {
  return outputs.map(({ name }) => {
    const result = results[name]
    const type = result === undefined ? undefined : toElementType(result.type)
    if (result === undefined || type === undefined) throw new Error(`The model gave no ${name}.`)
    return { name, type, dims: result.dims, elements: toElements(type, result.data) }
  })
}

function toElements(type: ElementType, given: ort.Tensor['data']): Elements {
  if (type === 'float16' && given instanceof Uint16Array) {
    return new Float16Array(given.buffer, given.byteOffset, given.length)
  }
  if (Array.isArray(given)) return given.map(String)
  if (given instanceof Uint8ClampedArray) return new Uint8Array(given)
  return given
}
