import type { InferenceServer } from '../inference-server.ts'
import { ServingError } from '../serving-error.ts'
import type { LogSettings } from '../log-settings.ts'
import { refuseTracing, TRACE_SETTINGS } from '../trace-settings.ts'
import { jsonReply } from './http-call.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import type { Route } from './http-front.ts'
import { parseJsonBody } from './json-body.ts'
import { modelOf } from './version-part.ts'

/** The routes of the trace and logging extensions. */
export function settingsRoutes(
  server: InferenceServer,
  logSettings: LogSettings,
): readonly Route[] {
  const methods = ['GET', 'POST']
  const trace = (call: HttpCall): HttpReply => {
    if (call.parts['model'] !== undefined) refuseUnknownModel(server, modelOf(call))
    if (call.method === 'POST') refuseTracing(parseJsonBody(call.body))
    return jsonReply(TRACE_SETTINGS)
  }
  return [
    { methods, pattern: /^\/v2\/trace\/setting$/, run: trace },
    { methods, pattern: /^\/v2\/models\/(?<model>[^/]+)\/trace\/setting$/, run: trace },
    {
      methods,
      pattern: /^\/v2\/logging$/,
      run: (call) => {
        if (call.method === 'POST') logSettings.change(parseJsonBody(call.body))
        return jsonReply(logSettings.current)
      },
    },
  ]
}

function refuseUnknownModel(server: InferenceServer, name: string): void {
  if (server.repository.versionsOf(name).length > 0) return
  throw new ServingError('INVALID_ARG', `Request for unknown model : ${name}`)
}
