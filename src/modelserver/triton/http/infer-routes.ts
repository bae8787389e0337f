import { parseInferRequest } from '../../../wire/oip/infer-request.ts'
import { encodeInferResponse } from '../../../wire/oip/infer-response.ts'
import { inferOnce } from '../infer-once.ts'
import type { InferenceServer } from '../inference-server.ts'
import { sortParameters } from '../request-parameters.ts'
import type { ServedVersion } from '../served-version.ts'
import { ServingError } from '../serving-error.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import type { Route } from './http-front.ts'
import { modelPath } from './model-routes.ts'
import { modelOf, versionOf } from './version-part.ts'

/** Inference. */
export function inferRoutes(server: InferenceServer, jsonBytesMax: number): readonly Route[] {
  const run = (call: HttpCall): Promise<HttpReply> => {
    const served = server.repository.find(modelOf(call), versionOf(call))
    const header = call.headers['inference-header-content-length']
    const headerLength = header === undefined ? undefined : String(header)
    return inferOverHttp(served, { ...call, headerLength, jsonBytesMax })
  }
  return [{ methods: ['POST'], pattern: modelPath('/infer'), run }]
}

/** A body to infer with. */
export interface InferCall {
  readonly body: Uint8Array
  /** How many bytes of it are JSON, as the caller wrote it; undefined for all. */
  readonly headerLength: string | undefined
  readonly jsonBytesMax: number
  readonly signal: AbortSignal
}

/** Runs a request that came over HTTP. @throws OipError */
export async function inferOverHttp(served: ServedVersion, call: InferCall): Promise<HttpReply> {
  const { config, labels, name, version } = served
  if (config.isDecoupled) {
    throw new ServingError(
      'UNSUPPORTED',
      "HTTP end point doesn't support models with decoupled transaction policy",
    )
  }
  const { headerLength, jsonBytesMax, signal } = call
  const request = parseInferRequest(call.body, { headerLength, model: config, jsonBytesMax })
  const outputNames = namesOf(request.requestedOutputs)
  const { id, inputs } = request
  const options = sortParameters(request.parameters)
  const response = await inferOnce(served, { id, inputs, outputNames, ...options, signal })
  const { headers, body } = encodeInferResponse(
    { id, modelName: name, modelVersion: String(version), ...response },
    {
      requested: request,
      isBatched: config.maxBatchSize > 0,
      labelsOf: (output) => labels.get(output) ?? [],
    },
  )
  return { status: 200, headers, body, canCompress: true }
}

function namesOf(outputs: readonly { readonly name: string }[]): readonly string[] {
  const names = outputs.map(({ name }) => name)
  const duplicate = names.find((name, index) => names.indexOf(name) !== index)
  if (duplicate === undefined) return names
  throw new ServingError('INVALID_ARG', `output '${duplicate}' already exists in request`)
}
