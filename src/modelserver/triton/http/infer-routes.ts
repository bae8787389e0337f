import { parseInferRequest } from '../../../wire/oip/infer-request.ts'
import type { InferRequest } from '../../../wire/oip/infer-request.ts'
import { encodeInferResponse } from '../../../wire/oip/infer-response.ts'
import type { SharedPart } from '../../../wire/oip/shared-part.ts'
import { inferOnce } from '../infer-once.ts'
import type { InferenceServer } from '../inference-server.ts'
import { sortParameters } from '../request-parameters.ts'
import type { ServedVersion } from '../served-version.ts'
import { ServingError } from '../serving-error.ts'
import { SharedOutputs } from '../shared-memory/shared-outputs.ts'
import type { SharedRegions } from '../shared-memory/shared-regions.ts'
import type { RequestTrace } from '../trace/request-trace.ts'
import type { Tracing } from '../trace/tracing.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import type { Route } from './http-front.ts'
import { sampleHttp, traceReply } from './http-trace.ts'
import { modelPath } from './model-routes.ts'
import { modelOf, versionOf } from './version-part.ts'

/** What inference over HTTP needs. */
export interface InferRouteOptions {
  readonly server: InferenceServer
  readonly regions: SharedRegions
  readonly tracing: Tracing
  readonly jsonBytesMax: number
}

/** Inference. */
export function inferRoutes(options: InferRouteOptions): readonly Route[] {
  const { server, regions, tracing, jsonBytesMax } = options
  const run = (call: HttpCall): Promise<HttpReply> => {
    const served = server.repository.find(modelOf(call), versionOf(call))
    const header = call.headers['inference-header-content-length']
    const headerLength = header === undefined ? undefined : String(header)
    const sample = (): RequestTrace | undefined => sampleHttp(tracing, served, call)
    return inferOverHttp(served, { ...call, headerLength, jsonBytesMax, regions, sample })
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
  /** Regions that tensors may be in; absent for none. */
  readonly regions?: SharedRegions
  /** A trace for it, once it is known to be a request. */
  readonly sample?: () => RequestTrace | undefined
}

/** Runs a request that came over HTTP. @throws OipError */
export async function inferOverHttp(served: ServedVersion, call: InferCall): Promise<HttpReply> {
  const { config } = served
  if (config.isDecoupled) {
    throw new ServingError(
      'UNSUPPORTED',
      "HTTP end point doesn't support models with decoupled transaction policy",
    )
  }
  const { headerLength, jsonBytesMax, regions } = call
  const request = parseInferRequest(call.body, {
    headerLength,
    model: config,
    jsonBytesMax,
    ...(regions?.isAllowed === true && { readShared: (part) => regions.read(part) }),
  })
  const trace = call.sample?.()
  return traceReply(trace, () => runRequest(served, request, { ...call, trace }))
}

interface RunCall extends Pick<InferCall, 'regions' | 'signal'> {
  readonly trace: RequestTrace | undefined
}

async function runRequest(
  served: ServedVersion,
  request: InferRequest,
  { regions, signal, trace }: RunCall,
): Promise<HttpReply> {
  const { config, labels, name, version } = served
  const { id, inputs } = request
  const outputNames = request.requestedOutputs.map((output) => output.name)
  const options = sortParameters(request.parameters)
  using shared = regions && new SharedOutputs(regions, partsOf(request))
  const response = await inferOnce(served, { id, inputs, outputNames, ...options, signal, trace })
  shared?.write(response.outputs)
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

function partsOf({ requestedOutputs }: InferRequest): ReadonlyMap<string, SharedPart> {
  return new Map(
    requestedOutputs.flatMap(({ name, shared }) => (shared === undefined ? [] : [[name, shared]])),
  )
}
