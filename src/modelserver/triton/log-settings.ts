import { createLog } from '../log.ts'
import type { Log } from '../log.ts'
import { ServingError } from './serving-error.ts'

/** Formats of the time of a log line: milliseconds since 1970, or text. */
const FORMATS = ['default', 'ISO8601']

/** Settings of the log as the protocol names them. */
export interface LogValues {
  readonly log_file: string
  readonly log_info: boolean
  readonly log_warning: boolean
  readonly log_error: boolean
  /** 1 and more: every request is logged. */
  readonly log_verbose_level: number
  readonly log_format: string
}

/** How a protocol says that a setting is wrong. */
export interface LogRefusals {
  readonly wrongType: (wanted: 'boolean' | 'string' | 'unsigned-integer') => ServingError
  readonly wrongFormat: (format: string) => ServingError
}

const SWITCHES = ['log_info', 'log_warning', 'log_error'] as const

/** Settings of the logging extension, which may change while serving. */
export class LogSettings {
  #current: LogValues

  constructor(values: LogValues) {
    this.#current = values
  }

  get current(): LogValues {
    return this.#current
  }

  /**
   * Changes those that are given; names that nobody knows are left alone, as Triton does. Either all change or none.
   *
   * @throws ServingError one of them cannot be changed, or not to that.
   */
  change(settings: Readonly<Record<string, unknown>>, refusals: LogRefusals): void {
    const {
      log_file: file,
      log_verbose_level: level = this.#current.log_verbose_level,
      log_format: format = this.#current.log_format,
    } = settings
    if (file !== undefined) {
      const message = 'log file location can not be updated through network protocol'
      throw new ServingError('UNSUPPORTED', message)
    }
    const next: LogValues = {
      ...this.#current,
      ...Object.fromEntries(
        SWITCHES.map((name) => {
          const value = settings[name] ?? this.#current[name]
          if (typeof value === 'boolean') return [name, value]
          throw refusals.wrongType('boolean')
        }),
      ),
    }
    if (typeof level !== 'number' || !Number.isInteger(level) || level < 0) {
      throw refusals.wrongType('unsigned-integer')
    }
    if (typeof format !== 'string') throw refusals.wrongType('string')
    if (!FORMATS.includes(format)) throw refusals.wrongFormat(format)
    this.#current = { ...next, log_verbose_level: level, log_format: format }
  }

  /** A log that heeds the settings as they are when something is logged. */
  createLog(write: (line: string) => void, nowMs: () => number): Log {
    const now = (): number | string =>
      this.#current.log_format === 'default' ? nowMs() : new Date(nowMs()).toISOString()
    const log = createLog(write, now)
    return (level, event, fields) => {
      if (this.#has(level)) log(level, event, fields)
    }
  }

  #has(level: Parameters<Log>[0]): boolean {
    switch (level) {
      case 'debug':
        return this.#current.log_verbose_level > 0
      case 'info':
        return this.#current.log_info
      case 'warn':
        return this.#current.log_warning
      case 'error':
        return this.#current.log_error
    }
  }
}
