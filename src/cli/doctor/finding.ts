/** One thing `berth doctor` found out. */
export interface Finding {
  /** `error` would stop serving; `warn` works, with a limit worth knowing. */
  readonly level: 'ok' | 'warn' | 'error'
  readonly subject: string
  /** One sentence with the value that was seen. */
  readonly message: string
  /** What to do about it. */
  readonly cure: string | undefined
}

/** A finding that needs no action. */
export function ok(subject: string, message: string): Finding {
  return { level: 'ok', subject, message, cure: undefined }
}

/** A finding that limits something. */
export function warn(subject: string, message: string, cure: string): Finding {
  return { level: 'warn', subject, message, cure }
}

/** A finding that stops serving. */
export function error(subject: string, message: string, cure: string | undefined): Finding {
  return { level: 'error', subject, message, cure }
}
