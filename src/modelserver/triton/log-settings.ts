import type { Log } from '../log.ts'
import { ServingError } from './serving-error.ts'

/** Settings of the logging extension, which may change while serving. */
export class LogSettings {
  #current: Record<string, string | number | boolean> = {
    log_file: '',
    log_info: true,
    log_warning: true,
    log_error: true,
    log_verbose_level: 0,
    log_format: 'default',
  }

  constructor(logsInfo: boolean) {
    this.#current['log_info'] = logsInfo
  }

  get current(): Readonly<Record<string, string | number | boolean>> {
    return this.#current
  }

  /** @throws ServingError one of them cannot be changed, or not to that. */
  change(settings: Readonly<Record<string, unknown>>): void {
    const next = { ...this.#current }
    for (const [name, value] of Object.entries(settings)) {
      if (name === 'log_file') {
        const message = 'log file location can not be updated through network protocol'
        throw new ServingError('UNSUPPORTED', message)
      }
      const before = next[name]
      const isSame = typeof before === typeof value
      if (
        !isSame ||
        (typeof value !== 'boolean' && typeof value !== 'number' && typeof value !== 'string')
      ) {
        throw new ServingError('INVALID_ARG', `unknown or invalid log setting '${name}'`)
      }
      if (name === 'log_format' && value !== 'default' && value !== 'ISO8601') {
        const message = `invalid argument for --log_format, got: ${value}`
        throw new ServingError('UNAVAILABLE', message)
      }
      next[name] = value
    }
    this.#current = next
  }

  /** A log that leaves out what is switched off. */
  filter(log: Log): Log {
    const switches = { info: 'log_info', warn: 'log_warning', error: 'log_error' } as const
    return (level, event, fields) => {
      if (this.#current[switches[level]] === true) log(level, event, fields)
    }
  }
}
