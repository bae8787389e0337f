import type { InferenceServer } from '../inference-server.ts'
import { ServingError } from '../serving-error.ts'
import { emptyReply, jsonReply } from './http-call.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import type { Route } from './http-front.ts'
import { modelOf, versionOf } from './version-part.ts'

const MODEL = String.raw`/v2/models/(?<model>[^/]+)(?:/versions/(?<version>\d+))?`

/** The pattern of a model's path with what follows it. */
export function modelPath(rest = ''): RegExp {
  return new RegExp(`^${MODEL}${rest}$`)
}

/** Health, metadata, configuration and statistics. */
export function modelRoutes(server: InferenceServer): readonly Route[] {
  const get = (pattern: RegExp, run: Route['run']): Route => ({ methods: ['GET'], pattern, run })
  return [
    get(/^\/v2\/health\/live$/, () => verdict(server.isLive())),
    get(/^\/v2\/health\/ready$/, () => verdict(server.isReady())),
    get(/^\/v2\/?$/, () => jsonReply(server.metadata())),
    get(/^\/v2\/models\/stats$/, () => jsonReply(statistics(server, '', undefined))),
    get(modelPath('/ready'), (call) => modelVerdict(server, call)),
    get(modelPath('/config'), (call) =>
      jsonReply(server.repository.find(modelOf(call), versionOf(call)).config.json),
    ),
    get(modelPath('/stats'), (call) =>
      jsonReply(statistics(server, modelOf(call), versionOf(call))),
    ),
    get(modelPath(), (call) => jsonReply(server.modelMetadata(modelOf(call), versionOf(call)))),
  ]
}

function verdict(isGood: boolean): HttpReply {
  return emptyReply(isGood ? 200 : 400)
}

async function modelVerdict(server: InferenceServer, call: HttpCall): Promise<HttpReply> {
  if (await server.isModelReady(modelOf(call), versionOf(call))) return emptyReply()
  throw new ServingError('INVALID_ARG', 'Model version not ready')
}

function statistics(server: InferenceServer, name: string, version: number | undefined) {
  const measured = server.measured(name, version)
  return {
    model_stats: measured.map((served) =>
      served.statistics.toJson(served.name, String(served.version)),
    ),
  }
}
