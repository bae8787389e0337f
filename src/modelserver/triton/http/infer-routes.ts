import { inferOnce } from '../infer-once.ts'
import type { InferenceServer } from '../inference-server.ts'
import { sortParameters } from '../request-parameters.ts'
import { ServingError } from '../serving-error.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import type { Route } from './http-front.ts'
import { readInferBody, writeInferBody } from './infer-body.ts'
import { modelPath } from './model-routes.ts'
import { modelOf, versionOf } from './version-part.ts'

/** Inference. */
export function inferRoutes(server: InferenceServer, inputBytesMax: number): readonly Route[] {
  const run = async (call: HttpCall): Promise<HttpReply> => {
    const served = server.repository.find(modelOf(call), versionOf(call))
    if (served.config.isDecoupled) {
      throw new ServingError(
        'UNSUPPORTED',
        "HTTP end point doesn't support models with decoupled transaction policy",
      )
    }
    const body = readInferBody(call, served.config, inputBytesMax)
    const { signal } = call
    const response = await inferOnce(served, {
      id: body.id,
      inputs: body.inputs,
      outputNames: body.outputNames,
      ...sortParameters(body.parameters),
      signal,
    })
    return writeInferBody(body, served, response)
  }
  return [{ methods: ['POST'], pattern: modelPath('/infer'), run }]
}
