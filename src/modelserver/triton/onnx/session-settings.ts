import { OipError } from '../../../wire/oip/errors.ts'
import type { ModelConfig } from '../../../wire/oip/model-config.ts'
import type { SessionChoices } from '../../onnx/session.ts'
import { read } from '../json-reader.ts'

type Written = Pick<ModelConfig, 'name' | 'optimization' | 'parameters'>

const THREADS_MAX = 1024

// Source: reference §3.3. What is not here is the model's own, as in Triton.
const REFUSED: Readonly<Record<string, string>> = {
  'memory.enable_memory_arena_shrinkage': 'the binding of ONNX Runtime does not offer it',
  cudnn_conv_algo_search: 'there is no GPU support',
  cudnn_conv_use_max_workspace: 'there is no GPU support',
  gpu_mem_limit: 'there is no GPU support',
  arena_extend_strategy: 'there is no GPU support',
  do_copy_in_default_stream: 'there is no GPU support',
}

// Configuration entries of the runtime that are passed on.
const ENTRIES = ['use_device_allocator_for_initializers', 'set_denormal_as_zero'] as const

/**
 * How a config wants ONNX Runtime to run its model.
 *
 * @throws OipError INVALID_ARG: a setting has a value that there is not; UNSUPPORTED: it cannot be followed.
 */
export function toSessionChoices(config: Written): SessionChoices {
  refuseSettings(config)
  const within = readCount(config, 'intra_op_thread_count')
  const between = readCount(config, 'inter_op_thread_count')
  const isParallel = readFlag(config, 'execution_mode')
  const usesMemoryArena = readFlag(config, 'enable_mem_arena')
  const usesMemoryPattern = readFlag(config, 'enable_mem_pattern')
  const level = readLevel(config)
  const entries = ENTRIES.flatMap((key) => {
    const value = readFlag(config, `session.${key}`)
    return value === undefined ? [] : [[key, value ? '1' : '0'] as const]
  })
  return {
    threads: {
      ...(within !== undefined && { withinOperator: within }),
      ...(between !== undefined && { betweenOperators: between }),
    },
    ...(isParallel === true && { executionMode: 'parallel' }),
    ...(usesMemoryArena !== undefined && { usesMemoryArena }),
    ...(usesMemoryPattern !== undefined && { usesMemoryPattern }),
    ...(level !== undefined && { level }),
    entries: Object.fromEntries(entries),
  }
}

function refuseSettings({ name, parameters, optimization }: Written): void {
  for (const [key, reason] of Object.entries(REFUSED)) {
    if (Object.hasOwn(parameters, key)) throw unsupported(name, `parameter '${key}'`, reason)
  }
  const accelerators = read.object(optimization?.['execution_accelerators'])
  for (const list of Object.values(accelerators)) {
    const [first] = read.objects(list)
    if (first === undefined) continue
    const wish = `execution accelerator '${read.text(first['name'])}'`
    throw unsupported(name, wish, 'models run on the CPU provider of ONNX Runtime')
  }
}

const LEVELS = new Map([
  [-1, 'basic'],
  [1, 'extended'],
  [2, 'disabled'],
] as const)

function readLevel({ name, optimization }: Written): SessionChoices['level'] {
  const graph = read.object(optimization?.['graph'])
  const level = read.number(graph['level'])
  if (level === 0) return undefined
  for (const [number, known] of LEVELS) if (number === level) return known
  throw invalid(name, 'optimization.graph.level', String(level), '-1, 0, 1 or 2')
}

function readCount({ name, parameters }: Written, key: string): number | undefined {
  const text = parameters[key]?.string_value
  if (text === undefined) return undefined
  const count = /^\d{1,4}$/.test(text) ? Number(text) : Infinity
  if (count <= THREADS_MAX) return count
  throw invalid(name, key, text, `an integer from 0 to ${THREADS_MAX}`)
}

function readFlag({ name, parameters }: Written, key: string): boolean | undefined {
  const text = parameters[key]?.string_value
  if (text === undefined) return undefined
  if (text === '0' || text === '1') return text === '1'
  throw invalid(name, key, text, '0 or 1')
}

function invalid(model: string, key: string, given: string, expected: string): OipError {
  const message = `${key} of model '${model}' is '${given}', expected ${expected}`
  return new OipError('INVALID_ARG', message)
}

function unsupported(model: string, wish: string, reason: string): OipError {
  const message = `model '${model}' asks for ${wish}, which this server does not offer: ${reason}`
  return new OipError('UNSUPPORTED', message)
}
