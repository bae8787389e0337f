import { toServingError } from '../serving-error.ts'
import { NO_TRACE_OPTIONS } from './tracing.ts'
import type { TraceOptions } from './tracing.ts'
import { changeOverrides, refuseInvalidTrace } from './trace-settings.ts'

/** Flags of older releases that say what `--trace-config` says, and the settings they stand for. */
const OLDER = {
  'trace-file': 'file',
  'trace-level': 'level',
  'trace-rate': 'rate',
  'trace-count': 'count',
  'trace-log-frequency': 'log-frequency',
} as const

const SETTINGS: Readonly<Record<string, string>> = {
  level: 'trace_level',
  rate: 'trace_rate',
  count: 'trace_count',
  'log-frequency': 'log_frequency',
}

/**
 * Reads `--trace-config=[triton,]KEY=VALUE`, given any number of times, and its older forms.
 *
 * What is wrong is added to the problems.
 */
export function readTraceOptions(
  values: ReadonlyMap<string, readonly string[]>,
  problems: string[],
): TraceOptions {
  const settings = new Map<string, string[]>()
  let file = ''
  const take = (flag: string, key: string, value: string): void => {
    const setting = SETTINGS[key]
    if (key === 'file') file = value
    else if (setting === 'trace_level') {
      // Source: names of levels before there were these.
      const level = ['MIN', 'MAX'].includes(value.toUpperCase()) ? 'TIMESTAMPS' : value
      settings.set(setting, [...(settings.get(setting) ?? []), level.toUpperCase()])
    } else if (setting !== undefined) settings.set(setting, [value])
    else if (key !== 'mode' || value !== 'triton') {
      problems.push(`--${flag}: ${key}=${value} is not known; traces go to files, mode=triton`)
    }
  }
  for (const given of values.get('trace-config') ?? []) {
    const [, mode, key = '', value = ''] = /^(?:(\w+),)?([^=]*)=(.*)$/s.exec(given) ?? []
    if (mode !== undefined && mode !== 'triton') {
      problems.push(`--trace-config=${given}: only the mode triton is known`)
    } else take('trace-config', key, value)
  }
  for (const [flag, key] of Object.entries(OLDER)) {
    for (const value of values.get(flag) ?? []) take(flag, key, value)
  }
  try {
    const options = { ...NO_TRACE_OPTIONS, file, ...changeOverrides({}, settings) }
    refuseInvalidTrace(options, file)
    return options
  } catch (error) {
    problems.push(`--trace-config: ${toServingError(error).message}`)
    return NO_TRACE_OPTIONS
  }
}
