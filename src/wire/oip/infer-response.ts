import { classify } from './classification.ts'
import type { InferRequest } from './infer-request.ts'
import type { Parameters, ParameterValue } from './request-parameters.ts'
import { formatDouble, tensorToJson } from './tensor-to-json.ts'
import type { Tensor } from './tensor.ts'

/** An inference response, to be written. */
export interface InferResponse {
  /** Empty for none. */
  readonly id: string
  readonly modelName: string
  readonly modelVersion: string
  readonly parameters?: Parameters
  readonly outputs: readonly Tensor[]
}

/** What writing needs beside the response. */
export interface InferResponseOptions {
  readonly requested: Pick<InferRequest, 'requestedOutputs' | 'isBinaryByDefault'>
  /** Whether outputs have a batch dimension in front. */
  readonly isBatched: boolean
  /** Names of an output's classes by index. */
  readonly labelsOf?: (outputName: string) => readonly string[]
}

/** A response, written: JSON, and bytes behind it if any. */
export interface EncodedResponse {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/**
 * Writes the reply to `POST …/infer`.
 *
 * @throws OipError `INVALID_ARG`: an output has no form of the kind that was asked for.
 */
export function encodeInferResponse(
  response: InferResponse,
  options: InferResponseOptions,
): EncodedResponse {
  const outputs = response.outputs.map((output) => encodeOutput(output, options))
  const blobs = outputs.flatMap(({ blob }) => (blob === undefined ? [] : [blob]))
  const json = Buffer.from(
    encodeHead(
      response,
      outputs.map(({ text }) => text),
    ),
  )
  if (blobs.every((blob) => blob.length === 0)) {
    return { headers: { 'Content-Type': 'application/json' }, body: json }
  }
  return {
    headers: {
      'Content-Type': 'application/octet-stream',
      'Inference-Header-Content-Length': String(json.length),
    },
    body: Buffer.concat([json, ...blobs]),
  }
}

function encodeHead(response: InferResponse, outputs: readonly string[]): string {
  const { id, modelName, modelVersion, parameters } = response
  const members = [
    ...(id === '' ? [] : [`"id":${JSON.stringify(id)}`]),
    `"model_name":${JSON.stringify(modelName)}`,
    `"model_version":${JSON.stringify(modelVersion)}`,
    ...(parameters === undefined || parameters.size === 0
      ? []
      : [`"parameters":${encodeParameters(parameters)}`]),
    `"outputs":[${outputs.join(',')}]`,
  ]
  return `{${members.join(',')}}`
}

/** Parameters as a JSON object. */
export function encodeParameters(parameters: Parameters): string {
  const members = [...parameters].map(
    ([name, value]) => `${JSON.stringify(name)}:${encodeParameter(value)}`,
  )
  return `{${members.join(',')}}`
}

/** The value of a parameter in JSON. */
export function encodeParameter(value: ParameterValue): string {
  if (typeof value === 'number') return formatDouble(value)
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}

interface EncodedOutput {
  readonly text: string
  readonly blob: Uint8Array | undefined
}

function encodeOutput(
  output: Tensor,
  { requested, isBatched, labelsOf }: InferResponseOptions,
): EncodedOutput {
  const wish = requested.requestedOutputs.find(({ name }) => name === output.name)
  // `binary_data_output` says nothing of outputs that are listed.
  const isBinary = wish === undefined ? requested.isBinaryByDefault : wish.isBinary
  if (wish?.shared !== undefined) return { text: `{${describe(output)}}`, blob: undefined }
  const count = wish?.classCount ?? 0
  const labels = count > 0 && labelsOf !== undefined ? labelsOf(output.name) : []
  const tensor = count > 0 ? classify(output, { count, isBatched, labels }) : output
  const { data } = tensor
  const head = describe(tensor)
  if (!isBinary) return { text: `{${head},"data":${tensorToJson(tensor)}}`, blob: undefined }
  const text = `{${head},"parameters":{"binary_data_size":${data.length}}}`
  return { text, blob: data }
}

function describe({ name, datatype, shape }: Tensor): string {
  return `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}]`
}
