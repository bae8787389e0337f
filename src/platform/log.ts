import { pino } from 'pino'
import type { Logger } from 'pino'

/**
 * A room's logger. A line is an event name (past tense, constant) and fields:
 * `log.info({ endpointName }, 'endpoint reconciled')`.
 */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

/** Structured JSON to a file descriptor; one child per room is made in `main.ts`. */
export function createLog(options: {
  readonly level: string
  /** 1 is standard output, 2 standard error. */
  readonly fd: number
  readonly process: string
}): Logger {
  const destination = pino.destination({ dest: options.fd, sync: true })
  return pino(
    { level: options.level, base: { process: options.process, pid: process.pid } },
    destination,
  )
}

/** Drops every line; for tests and for programs that print for people. */
export const silentLog: Log = { debug: drop, info: drop, warn: drop, error: drop }

function drop(): void {}
