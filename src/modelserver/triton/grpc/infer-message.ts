import { classify } from '../../../wire/oip/classification.ts'
import type { Parameters, ParameterValue } from '../../../wire/oip/request-parameters.ts'
import { isDatatype } from '../../../wire/oip/tensor.ts'
import type { Tensor } from '../../../wire/oip/tensor.ts'
import type { InferenceResponse } from '../backend.ts'
import { isRecord } from '../http/json-body.ts'
import { read } from '../json-reader.ts'
import { parseVersion } from '../parse-version.ts'
import { sortParameters } from '../request-parameters.ts'
import type { RequestOptions } from '../request-parameters.ts'
import type { ServedVersion } from '../served-version.ts'
import { ServingError } from '../serving-error.ts'
import type { SharedPart } from '../../../wire/oip/shared-part.ts'
import type { SharedRegions } from '../shared-memory/shared-regions.ts'
import { readSharedPart } from './shared-parameters.ts'
import { encodeContents } from './typed-contents.ts'

type Message = Readonly<Record<string, unknown>>

/** A ModelInferRequest, read. */
export interface InferMessage extends RequestOptions {
  readonly modelName: string
  readonly version: number | undefined
  readonly id: string
  readonly inputs: readonly Tensor[]
  readonly outputNames: readonly string[]
  /** How many classes are wanted instead of the tensor, by output. */
  readonly classCounts: ReadonlyMap<string, number>
  /** Where outputs go that are not sent. */
  readonly sharedOutputs: ReadonlyMap<string, SharedPart>
}

/**
 * Reads a ModelInferRequest, with what of it is in shared memory.
 *
 * @throws ServingError INVALID_ARG; NOT_FOUND: no such region.
 */
export function readInferRequest(message: Message, regions: SharedRegions): InferMessage {
  const modelName = read.text(message['model_name'])
  const outputs = read.objects(message['outputs'])
  const outputNames = outputs.map(({ name }) => read.text(name))
  refuseRepeated(outputNames)
  const classCounts = new Map<string, number>()
  const sharedOutputs = new Map<string, SharedPart>()
  for (const output of outputs) {
    const name = read.text(output['name'])
    const parameters = readParameters(output['parameters'])
    const count = parameters.get('classification')
    const part = readSharedPart(parameters, name)
    if (part !== undefined && count !== undefined) {
      throw refusal("Output can't set both 'shared_memory_region' and 'classification'")
    }
    if (count !== undefined) classCounts.set(name, Number(count))
    if (part !== undefined) sharedOutputs.set(name, part)
  }
  if (sharedOutputs.size > 0) regions.refuseIfDisabled()
  return {
    modelName,
    version: parseVersion(read.text(message['model_version'])),
    id: read.text(message['id']),
    inputs: readInputs(modelName, message, regions),
    outputNames,
    classCounts,
    sharedOutputs,
    ...sortParameters(readRequestParameters(message['parameters'])),
  }
}

function readInputs(
  modelName: string,
  message: Message,
  regions: SharedRegions,
): readonly Tensor[] {
  const raw = Array.isArray(message['raw_input_contents']) ? message['raw_input_contents'] : []
  let rawIndex = 0
  return read.objects(message['inputs']).map((input): Tensor => {
    const name = read.text(input['name'])
    const datatype = read.text(input['datatype'])
    const shape = read.numbers(input['shape'])
    const part = readSharedPart(readParameters(input['parameters']), name)
    if (!isDatatype(datatype)) {
      throw refusal(`invalid datatype '${datatype}' for input tensor '${name}'`)
    }
    const contents = input['contents']
    if (part !== undefined) {
      regions.refuseIfDisabled()
      if (isRecord(contents)) {
        throw refusal(
          `unexpected 'content' provided when using shared memory for input tensor '${name}' for model '${modelName}'`,
        )
      }
      return { name, datatype, shape, data: regions.read(part) }
    }
    if (raw.length === 0) {
      const data = encodeContents(datatype, contents)
      if (data !== undefined) return { name, datatype, shape, data }
      if (isRecord(contents)) {
        throw refusal(
          `unexpected explicit tensor data for input tensor '${name}' for model '${modelName}' of type '${datatype}'`,
        )
      }
      throw missingData(name, modelName)
    }
    if (isRecord(contents)) {
      throw refusal(
        `contents field must not be specified when using raw_input_contents for '${name}' for model '${modelName}'`,
      )
    }
    const data: unknown = raw[rawIndex]
    rawIndex += 1
    if (!(data instanceof Uint8Array)) throw missingData(name, modelName)
    return { name, datatype, shape, data }
  })
}

function missingData(name: string, modelName: string): ServingError {
  return refusal(
    `unable to find data for input tensor '${name}' for model '${modelName}' in request.`,
  )
}

/** Choices of parameters that mean something to the server, as Triton takes them (`infer_handler.cc`). */
const CHOICES: ReadonlyMap<string, readonly string[]> = new Map([
  ['sequence_id', ['int64_param', 'uint64_param', 'string_param']],
  ['sequence_start', ['bool_param']],
  ['sequence_end', ['bool_param']],
  ['priority', ['int64_param', 'uint64_param']],
  ['timeout', ['int64_param']],
  ['triton_enable_empty_final_response', ['bool_param']],
])

function readRequestParameters(map: unknown): Parameters {
  for (const [name, choices] of CHOICES) {
    const given = read.object(map)[name]
    if (given === undefined) continue
    const chosen = read.text(read.object(given)['parameter_choice'])
    if (choices.includes(chosen)) continue
    const expected = choices.join(' or ')
    throw refusal(`invalid value type for '${name}' parameter, expected ${expected}.`)
  }
  const parameters = readParameters(map)
  if (Number(parameters.get('priority') ?? 0) < 0) {
    throw refusal("invalid value for 'priority', expected value >= 0.")
  }
  const sequenceId = parameters.get('sequence_id')
  if (typeof sequenceId !== 'bigint') return parameters
  // Ids are unsigned, and may be sent as signed ones of the same bits.
  return new Map([...parameters, ['sequence_id', BigInt.asUintN(64, sequenceId)]])
}

function refuseRepeated(outputNames: readonly string[]): void {
  const seen = new Set<string>()
  for (const name of outputNames) {
    if (seen.has(name)) throw refusal(`output '${name}' already exists in request`)
    seen.add(name)
  }
}

/** Reads a map of parameters, each the one of several fields that is set. */
export function readParameters(map: unknown): Parameters {
  const parameters = new Map<string, ParameterValue>()
  for (const [name, value] of Object.entries(read.object(map))) {
    const choice = read.object(value)
    const field = read.text(choice['parameter_choice'])
    const chosen: unknown = choice[field]
    if (field === 'int64_param' || field === 'uint64_param') {
      parameters.set(name, BigInt(String(chosen)))
    } else if (typeof chosen === 'string' || typeof chosen === 'boolean') {
      parameters.set(name, chosen)
    } else if (typeof chosen === 'number') parameters.set(name, chosen)
  }
  return parameters
}

/** A ModelInferResponse. The bytes of every output are apart, in the order of the outputs. */
export function toInferResponse(
  { id, classCounts, sharedOutputs }: InferMessage,
  served: ServedVersion,
  response: InferenceResponse,
): Message {
  const isBatched = served.config.maxBatchSize > 0
  const outputs = response.outputs.map((output) => {
    const count = classCounts.get(output.name) ?? 0
    if (count === 0) return output
    return classify(output, { count, isBatched, labels: served.labels.get(output.name) ?? [] })
  })
  return {
    model_name: served.name,
    model_version: String(served.version),
    id,
    parameters: toParameters(response.parameters ?? new Map()),
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_output_contents: outputs.map(({ name, data }) =>
      sharedOutputs.has(name) ? NO_BYTES : data,
    ),
  }
}

const NO_BYTES = new Uint8Array(0)

function toParameters(parameters: Parameters): Message {
  return Object.fromEntries(
    [...parameters].map(([name, value]) => {
      return [name, { [fieldOf(value)]: typeof value === 'bigint' ? value.toString() : value }]
    }),
  )
}

function fieldOf(value: ParameterValue): string {
  if (typeof value === 'boolean') return 'bool_param'
  if (typeof value === 'string') return 'string_param'
  return typeof value === 'bigint' ? 'int64_param' : 'double_param'
}

function refusal(message: string): ServingError {
  return new ServingError('INVALID_ARG', message)
}
