import { pino } from 'pino'
import type { Logger } from 'pino'

/**
 * A room's logger. A line is an event name (past tense, constant) and fields:
 * `log.info({ endpointName }, 'endpoint reconciled')`.
 */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

// Lines kept while they cannot be written; the next ones are lost.
const UNWRITTEN_BYTES_MAX = 1024 * 1024

/** Structured JSON to a file descriptor; one child per room is made in `main.ts`. */
export function createLog(options: {
  readonly level: string
  /** 1 is standard output, 2 standard error. */
  readonly fd: number
  readonly process: string
}): Logger {
  const destination = pino.destination({
    dest: options.fd,
    sync: true,
    maxLength: UNWRITTEN_BYTES_MAX,
  })
  // A full disk costs lines, never the process. What was kept is written with the next line that can be.
  destination.on('error', drop)
  return pino(
    { level: options.level, base: { process: options.process, pid: process.pid } },
    destination,
  )
}

/** Drops every line; for tests and for programs that print for people. */
export const silentLog: Log = { debug: drop, info: drop, warn: drop, error: drop }

function drop(): void {}
