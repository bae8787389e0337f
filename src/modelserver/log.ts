/** Values a log line may carry. */
export type LogFields = Readonly<Record<string, string | number | boolean>>

/** Writes one event: constant text in the past tense, values in fields. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  fields?: LogFields,
) => void

/**
 * Creates a log that writes one JSON object a line.
 *
 * Not pino: an instance holds nothing but its model, and a logger of that size would be a tenth of an idle one.
 */
export function createLog(write: (line: string) => void, now: () => number | string): Log {
  return (level, event, fields = {}) => {
    write(`${JSON.stringify({ level, time: now(), room: 'modelserver', msg: event, ...fields })}\n`)
  }
}
