import type { InferenceServer } from '../inference-server.ts'
import type { LogRefusals, LogSettings } from '../log-settings.ts'
import { ServingError } from '../serving-error.ts'
import type { TraceChange } from '../trace/trace-settings.ts'
import type { Tracing } from '../trace/tracing.ts'
import { jsonReply } from './http-call.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import type { Route } from './http-front.ts'
import { parseJsonBody, wrongJsonType } from './json-body.ts'

/** What the settings are of. */
export interface SettingsRouteOptions {
  readonly server: InferenceServer
  readonly tracing: Tracing
  readonly logSettings: LogSettings
}

/** The routes of the trace and logging extensions. */
export function settingsRoutes(options: SettingsRouteOptions): readonly Route[] {
  const { server, tracing, logSettings } = options
  const methods = ['GET', 'POST']
  const trace = (call: HttpCall): HttpReply => {
    const model = call.parts['model']
    if (model !== undefined) server.refuseUnknownModel(model)
    if (call.method === 'POST') tracing.change(model, parseTraceChange(call.body))
    return jsonReply(tracing.settingsOf(model))
  }
  return [
    { methods, pattern: /^\/v2\/trace\/setting$/, run: trace },
    { methods, pattern: /^\/v2\/models\/(?<model>[^/]+)\/trace\/setting$/, run: trace },
    {
      methods,
      pattern: /^\/v2\/logging$/,
      run: (call) => {
        if (call.method === 'POST') logSettings.change(parseJsonBody(call.body), LOG_REFUSALS)
        return jsonReply(logSettings.current)
      },
    },
  ]
}

const LOG_REFUSALS: LogRefusals = {
  wrongType: wrongJsonType,
  wrongFormat: (format) =>
    new ServingError('UNAVAILABLE', `invalid argument for --log_format, got: ${format}`),
}

const SETTINGS = ['trace_file', 'trace_level', 'trace_rate', 'trace_count', 'log_frequency']

function parseTraceChange(body: Uint8Array): TraceChange {
  const change = new Map<string, readonly string[] | null>()
  for (const [name, value] of Object.entries(parseJsonBody(body))) {
    if (!SETTINGS.includes(name)) continue
    if (value === null) change.set(name, null)
    else if (name !== 'trace_level') change.set(name, [textOf(value)])
    else if (!Array.isArray(value)) throw wrongJsonType('array')
    // No level is no change here; null takes one back.
    else if (value.length > 0) change.set(name, value.map(textOf))
  }
  return change
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw wrongJsonType('string')
  return value
}
