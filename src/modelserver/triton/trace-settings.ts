import { ServingError } from './serving-error.ts'

/** Settings of the trace extension: nothing is traced, and that cannot be changed. */
export const TRACE_SETTINGS = {
  trace_file: '',
  trace_level: ['OFF'],
  trace_rate: '1000',
  trace_count: '-1',
  log_frequency: '0',
  trace_mode: 'triton',
} as const

/** @throws ServingError UNSUPPORTED: a setting would trace requests, which is not done. */
export function refuseTracing(settings: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(settings)) {
    const isOff = JSON.stringify(value) === '["OFF"]' || value === null
    if (name === 'trace_level' && isOff) continue
    throw new ServingError('UNSUPPORTED', `requests are not traced: '${name}' cannot be changed`)
  }
}
