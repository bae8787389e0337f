import { Buffer } from 'node:buffer'
import type { InferenceServer } from '../inference-server.ts'
import { createOverride } from '../load-override.ts'
import type { LoadOverride } from '../load-override.ts'
import { ServingError } from '../serving-error.ts'
import { emptyJsonReply, jsonReply } from './http-call.ts'
import type { HttpCall } from './http-call.ts'
import type { Route } from './http-front.ts'
import { booleanMember, isRecord, parseOptionalJsonBody } from './json-body.ts'
import { modelOf } from './version-part.ts'

const REPOSITORY = String.raw`/v2/repository(?:/(?<repository>[^/]+))?`

/** The repository extension: index, load and unload. */
export function repositoryRoutes(server: InferenceServer): readonly Route[] {
  const post = (rest: string, run: Route['run']): Route => {
    return { methods: ['POST'], pattern: new RegExp(`^${REPOSITORY}${rest}$`), run }
  }
  return [
    post('/index', async (call) => {
      const isReadyOnly = booleanMember(parseOptionalJsonBody(call.body), 'ready') ?? false
      return jsonReply(await server.index(repositoryOf(call), isReadyOnly))
    }),
    post('/models/(?<model>[^/]+)/load', async (call) => {
      await server.load(repositoryOf(call), modelOf(call), parseOverride(parametersOf(call)))
      return emptyJsonReply()
    }),
    post('/models/(?<model>[^/]+)/unload', async (call) => {
      const withDependents = booleanMember(parametersOf(call), 'unload_dependents') ?? false
      await server.unload(repositoryOf(call), modelOf(call), withDependents)
      return emptyJsonReply()
    }),
  ]
}

function repositoryOf({ parts }: HttpCall): string {
  return parts['repository'] ?? ''
}

function parametersOf({ body }: HttpCall): Readonly<Record<string, unknown>> {
  const parameters = parseOptionalJsonBody(body)['parameters']
  return isRecord(parameters) ? parameters : {}
}

function parseOverride(parameters: Readonly<Record<string, unknown>>): LoadOverride {
  const files = new Map<string, Uint8Array>()
  let config: string | undefined
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value !== 'string' || (name !== 'config' && !name.startsWith('file:'))) {
      throw new ServingError('INTERNAL', 'unexpected error on creating Triton parameter')
    }
    if (name === 'config') config = value
    else files.set(name.slice('file:'.length), Buffer.from(value, 'base64'))
  }
  return createOverride(config, files)
}
