import type { InferenceServer } from '../inference-server.ts'
import { read } from '../json-reader.ts'
import type { LogRefusals, LogSettings } from '../log-settings.ts'
import { ServingError } from '../serving-error.ts'
import type { Tracing } from '../trace/tracing.ts'
import type { Message } from './call-forms.ts'

interface TraceServices {
  readonly server: InferenceServer
  readonly tracing: Tracing
}

/** Changes the trace settings that are given, and shows all. @throws ServingError */
export function changeTracing({ server, tracing }: TraceServices, request: Message): Message {
  const name = read.text(request['model_name'])
  const model = name === '' ? undefined : name
  if (model !== undefined) server.refuseUnknownModel(model)
  const change = Object.entries(read.object(request['settings'])).map(([key, setting]) => {
    const values = read.object(setting)['value']
    const texts = Array.isArray(values) ? values.map(read.text) : []
    // A setting without a value goes back to what holds elsewhere.
    return [key, texts.length === 0 ? null : texts] as const
  })
  if (change.length > 0) tracing.change(model, new Map(change))
  const settings = Object.entries(tracing.settingsOf(model)).map(([key, value]) => {
    return [key, { value: typeof value === 'string' ? [value] : value }]
  })
  return { settings: Object.fromEntries(settings) }
}

const REFUSALS: LogRefusals = {
  wrongType: (wanted) =>
    new ServingError('INVALID_ARG', `log setting has another type, expected ${wanted}`),
  wrongFormat: (format) =>
    new ServingError('INVALID_ARG', `invalid argument for log_format, got: ${format}`),
}

/** Changes the log settings that are given, and shows all. @throws ServingError */
export function changeLog(logSettings: LogSettings, request: Message): Message {
  const wanted = Object.entries(read.object(request['settings'])).map(([name, value]) => {
    const choice = read.object(value)
    return [name, choice[read.text(choice['parameter_choice'])]]
  })
  logSettings.change(Object.fromEntries(wanted), REFUSALS)
  const settings = Object.entries(logSettings.current).map(([name, value]) => {
    return [name, { [fieldOf(value)]: value }]
  })
  return { settings: Object.fromEntries(settings) }
}

function fieldOf(value: boolean | number | string): string {
  if (typeof value === 'boolean') return 'bool_param'
  return typeof value === 'number' ? 'uint32_param' : 'string_param'
}
