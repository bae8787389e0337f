import { QUANTIZATIONS, TOLERANCE_BY_QUANTIZATION } from '../../domain/compilation-options.ts'
import type {
  CompilationOptions,
  InputShapes,
  Quantization,
} from '../../domain/compilation-options.ts'
import { invalid } from './refusals.ts'

const OPTION_NAMES = ['quantization', 'perChannel', 'tolerance', 'samples']
const AT = "'outputConfig.compilerOptions'"
const SHAPES_AT = "'inputConfig.dataInputConfig'"
const DIMS_MAX = 16
const DIM_MAX = 2 ** 31 - 1

/**
 * What `OutputConfig.CompilerOptions` asks for, e.g. `{"quantization": "int8-dynamic", "tolerance": 0.05}`.
 *
 * @throws BerthError `ValidationException`: not JSON, an option that does not exist, or a value that is none of its own.
 */
export function compilationOptionsOf(text: string | undefined): CompilationOptions {
  const given = text === undefined ? {} : parseObject(text, AT)
  const unknown = Object.keys(given).find((name) => !OPTION_NAMES.includes(name))
  if (unknown !== undefined) {
    throw invalid(`${AT} has no option "${unknown}". Options: ${OPTION_NAMES.join(', ')}.`)
  }
  const quantization = quantizationOf(given['quantization'])
  return {
    quantization,
    isPerChannel: isPerChannelOf(given['perChannel']),
    tolerance: toleranceOf(given['tolerance'], quantization),
    samples: samplesOf(given['samples']),
  }
}

/**
 * Shapes in `InputConfig.DataInputConfig`: `{"x": [1, 3]}` or `{"x": {"shape": [1, 3]}}`; `-1` or null leaves a dimension
 * open.
 *
 * @throws BerthError `ValidationException`: not JSON, or not of that form.
 */
export function inputShapesOf(text: string | undefined): InputShapes {
  const given = text === undefined ? {} : parseObject(text, SHAPES_AT)
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, shapeOf(name, value)]),
  )
}

function quantizationOf(value: unknown): Quantization {
  const found = QUANTIZATIONS.find((known) => known === (value ?? 'none'))
  if (found !== undefined) return found
  throw unfit('quantization', value, `one of ${QUANTIZATIONS.join(', ')}`)
}

function isPerChannelOf(value: unknown = true): boolean {
  if (typeof value === 'boolean') return value
  throw unfit('perChannel', value, 'true or false')
}

function toleranceOf(value: unknown, quantization: Quantization): number {
  if (value === undefined) return TOLERANCE_BY_QUANTIZATION[quantization]
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw unfit('tolerance', value, 'a number from 0 to 1')
}

function samplesOf(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const isName =
    typeof value === 'string' && /^[\w.-]+\.(json|jsonl|jsonlines|csv|npy)$/.test(value)
  if (isName) return value
  throw unfit('samples', value, 'the name of a .json, .jsonl, .csv or .npy file of the model data')
}

function shapeOf(name: string, value: unknown): readonly number[] {
  const shape = isObject(value) ? value['shape'] : value
  if (!Array.isArray(shape) || shape.length > DIMS_MAX) throw unfitShape(name, value)
  return shape.map((dim: unknown) => {
    const size = dim ?? -1
    const isDim = typeof size === 'number' && Number.isInteger(size)
    if (!isDim || size === 0 || size < -1 || size > DIM_MAX) throw unfitShape(name, value)
    return size
  })
}

// AWS's own examples write single quotes.
function parseObject(text: string, at: string): Readonly<Record<string, unknown>> {
  const parsed = parseJson(text) ?? parseJson(text.replaceAll("'", '"'))
  if (isObject(parsed)) return parsed
  throw invalid(`${at} must be the text of a JSON object; it is ${text.slice(0, 100)}.`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unfit(option: string, value: unknown, expectation: string): Error {
  const given = JSON.stringify(value).slice(0, 100)
  return invalid(`The option "${option}" of ${AT} must be ${expectation}; it is ${given}.`)
}

function unfitShape(name: string, value: unknown): Error {
  const given = JSON.stringify(value).slice(0, 100)
  return invalid(
    `The shape of "${name}" in ${SHAPES_AT} must be a list of sizes such as [1, 3]; it is ${given}.`,
  )
}
