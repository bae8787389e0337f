import { encodeOipError } from '../../../wire/oip/errors.ts'
import { parseGenerateRequest, encodeGenerateResponse } from '../../../wire/oip/generate.ts'
import { refuseLargeJson } from '../../../wire/oip/infer-request.ts'
import type { InferenceResponse } from '../backend.ts'
import { submit } from '../served-version.ts'
import type { Answers, IncomingRequest, ServedVersion } from '../served-version.ts'
import { toServingError } from '../serving-error.ts'
import type { ServingError } from '../serving-error.ts'
import { jsonReply } from './http-call.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import { EventStream } from './event-stream.ts'
import type { Route } from './http-front.ts'
import { sampleHttp, traceReply } from './http-trace.ts'
import type { InferRouteOptions } from './infer-routes.ts'
import { modelPath } from './model-routes.ts'
import { modelOf, versionOf } from './version-part.ts'

/** What generation over HTTP needs. */
export interface GenerateRouteOptions extends InferRouteOptions {
  /** How many bytes of a stream a client may leave unread before it is broken off. */
  readonly unreadBytesMax: number
}

/** The generate extension: flat JSON in, one flat JSON object or a stream of them out. */
export function generateRoutes(options: GenerateRouteOptions): readonly Route[] {
  const post = (rest: string, run: (generation: Generation) => Promise<HttpReply>): Route => ({
    methods: ['POST'],
    pattern: modelPath(rest),
    refusesEncoding: true,
    run: async (call) => {
      const generation = readGeneration(options, call)
      return traceReply(generation.request.trace, () => run(generation))
    },
  })
  const stream = (generation: Generation): Promise<HttpReply> =>
    generateStream(generation, new EventStream(options.unreadBytesMax))
  return [post('/generate', generateOnce), post('/generate_stream', stream)]
}

interface Generation {
  readonly served: ServedVersion
  readonly request: IncomingRequest
  /** One response, as it is written. @throws OipError an output has no JSON form. */
  readonly encode: (response: InferenceResponse) => string
}

function readGeneration(options: InferRouteOptions, call: HttpCall): Generation {
  const { server, tracing, jsonBytesMax } = options
  const served = server.repository.find(modelOf(call), versionOf(call))
  refuseLargeJson(call.body.length, jsonBytesMax)
  const { id, inputs, parameters } = parseGenerateRequest(call.body, served.config)
  const request: IncomingRequest = {
    id,
    inputs,
    parameters,
    outputNames: [],
    // What other requests say by parameters of these names is for the model here.
    priority: 0,
    timeoutUs: 0,
    correlationId: 0n,
    isSequenceStart: false,
    isSequenceEnd: false,
    signal: call.signal,
    trace: sampleHttp(tracing, served, call),
  }
  const names = { id, modelName: served.name, modelVersion: String(served.version) }
  const encode = (response: InferenceResponse) => encodeGenerateResponse({ ...names, ...response })
  return { served, request, encode }
}

// Source: Triton answers so with status 200.
const NOT_ONE =
  'generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses'

async function generateOnce({ served, request, encode }: Generation): Promise<HttpReply> {
  const { promise, resolve, reject } = Promise.withResolvers<InferenceResponse | undefined>()
  let only: InferenceResponse | undefined
  let count = 0
  submit(served, request, {
    respond: (response, isFinal) => {
      if (isData(response, isFinal)) {
        count += 1
        only ??= response
      }
      if (isFinal) resolve(count === 1 ? only : undefined)
    },
    fail: reject,
  })
  const response = await promise
  if (response === undefined) return jsonReply({ error: NOT_ONE })
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: encode(response),
  }
}

// The status is that of the first response; what fails later is told in the stream.
async function generateStream(
  { served, request, encode }: Generation,
  events: EventStream,
): Promise<HttpReply> {
  const signal = AbortSignal.any([request.signal, events.signal])
  const { promise: status, resolve: decideStatus } = Promise.withResolvers<number>()
  const fail = (error: ServingError): void => {
    const { status: failed, body } = encodeOipError(error)
    events.add(body)
    decideStatus(failed)
  }
  const addResponse = (response: InferenceResponse): void => {
    try {
      events.add(encode(response))
      decideStatus(200)
    } catch (error) {
      fail(toServingError(error))
    }
  }
  const answers: Answers = {
    respond: (response, isFinal) => {
      if (isData(response, isFinal)) addResponse(response)
      if (isFinal) events.end()
      if (isFinal) decideStatus(200)
    },
    fail: (error) => {
      fail(error)
      events.end()
    },
  }
  submit(served, { ...request, signal }, answers)
  const headers = { 'content-type': 'text/event-stream; charset=utf-8' }
  return { status: await status, headers, body: events }
}

/** An answer that only says that there are no more is none. */
function isData({ outputs }: InferenceResponse, isFinal: boolean): boolean {
  return outputs.length > 0 || !isFinal
}
