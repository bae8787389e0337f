import protobuf from 'protobufjs/light.js'
import protojson from 'protobufjs/ext/protojson.js'
import textformat from 'protobufjs/ext/textformat.js'
import descriptor from '../generated/model-config.json' with { type: 'json' }
import { OipError } from './errors.ts'
import type { ModelConfig, PartialModelConfig } from './model-config.ts'

// The only place that knows of protobufjs: what leaves it is JSON.
const MODEL_CONFIG = protobuf.Root.fromJSON(descriptor)
  .resolveAll()
  .lookupType('inference.ModelConfig')

type Json = Record<string, unknown>

/**
 * Parses a `config.pbtxt`. A byte order mark, which Triton refuses, is ignored.
 *
 * @throws OipError `INVALID_ARG`: the text is none, with the line of the error.
 */
export function parseModelConfigText(text: string): ModelConfig {
  const pbtxt = text.startsWith('\ufeff') ? text.slice(1) : text
  const reason = findTextError(pbtxt)
  if (reason === undefined) return printMessage(textformat.fromText(MODEL_CONFIG, pbtxt))
  const line = / \(line \d+\)$/.test(reason) ? '' : ` (line ${findErrorLine(pbtxt, reason)})`
  throw invalid(`${reason}${line}`)
}

/**
 * Parses a configuration in the JSON form of protobuf, as a load request may carry one.
 *
 * @throws OipError `INVALID_ARG`.
 */
export function parseModelConfigJson(text: string): ModelConfig {
  try {
    return printMessage(protojson.fromJsonString(MODEL_CONFIG, text))
  } catch (error) {
    throw invalid(messageOf(error))
  }
}

/** The full form of a configuration: all fields with a default value, in the order in which Triton prints them. */
export function fillModelConfig(partial: PartialModelConfig): ModelConfig {
  return printMessage(MODEL_CONFIG.fromObject({ ...partial }))
}

function findTextError(text: string): string | undefined {
  try {
    textformat.fromText(MODEL_CONFIG, text)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** The parser does not say where a value of a wrong type is: it is in the line without which it is not refused so. */
function findErrorLine(text: string, reason: string): number {
  const lines = text.split('\n')
  let [above, line] = [0, lines.length]
  while (line - above > 1) {
    const middle = Math.floor((above + line) / 2)
    if (findTextError(lines.slice(0, middle).join('\n')) === reason) line = middle
    else above = middle
  }
  return line
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function invalid(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}

function printMessage(message: protobuf.Message): ModelConfig {
  return printFields(MODEL_CONFIG, message as unknown as Json) as unknown as ModelConfig
}

function printFields(type: protobuf.Type, message: Json): Json {
  const printed: Json = {}
  const last: Json = {}
  for (const field of type.fieldsArray) {
    const { name } = field
    const value = Object.hasOwn(message, name) ? message[name] : undefined
    const isAbsent = value === undefined || value === null
    if (field.map) printed[name] = printMap(field, (value ?? {}) as Json)
    else if (field.repeated) {
      printed[name] = ((value ?? []) as unknown[]).map((item) => printValue(field, item))
    } else if (field.resolvedType instanceof protobuf.Type || field.partOf !== null) {
      // Fields of a choice that are no messages come last.
      const target = field.resolvedType instanceof protobuf.Type ? printed : last
      if (!isAbsent) target[name] = printValue(field, value)
    } else printed[name] = printValue(field, isAbsent ? field.typeDefault : value)
  }
  return { ...printed, ...last }
}

function printMap(field: protobuf.Field, map: Json): Json {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [key, printValue(field, value)]),
  )
}

// 64-bit integers are numbers, except where Triton forgot to make them so.
const TEXT_FIELDS: ReadonlySet<string> = new Set([
  '.inference.ModelSequenceBatching.InitialState.dims',
  '.inference.ModelOptimizationPolicy.Cuda.GraphSpec.Shape.dim',
])

function printValue(field: protobuf.Field, value: unknown): unknown {
  const { resolvedType } = field
  if (resolvedType instanceof protobuf.Type) return printFields(resolvedType, value as Json)
  if (resolvedType instanceof protobuf.Enum) {
    return typeof value === 'number' ? (resolvedType.valuesById[value] ?? value) : value
  }
  const isLong = field.type === 'int64' || field.type === 'uint64'
  if (!isLong) return value
  return TEXT_FIELDS.has(field.fullName) ? String(value) : Number(value)
}
