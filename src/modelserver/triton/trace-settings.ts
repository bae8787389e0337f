/** Settings of the trace extension: nothing is traced, and that cannot be changed. */
export const TRACE_SETTINGS = {
  trace_file: '',
  trace_level: ['OFF'],
  trace_rate: '1000',
  trace_count: '-1',
  log_frequency: '0',
  trace_mode: 'triton',
} as const
