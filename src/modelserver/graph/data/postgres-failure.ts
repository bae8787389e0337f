import { NodeFailure } from '../node-failure.ts'

// Sources of the codes: PostgreSQL manual, appendix A. Each class is its code's first two letters.
const DATA_CLASSES = new Set(['22'])
const AWAY_CLASSES = new Set(['08', '57', '53', '58'])
const LOGIN_CLASSES = new Set(['28', '3D'])
const TIMED_OUT = new Set(['57014', '55P03'])

/** The server's five letters, a code of the system, or `unknown`. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown'
  if ('code' in error && typeof error.code === 'string') return error.code
  if (!(error instanceof Error)) return 'unknown'
  return /time-?out|timed out/i.test(error.message) ? 'timeout' : 'broken'
}

/**
 * What the caller of a graph is told: never an address, a user or a password, and the server's own words only where they are about
 * the query or its parameters.
 */
export function toFailure(name: string, error: unknown): NodeFailure {
  const code = codeOf(error)
  const kind = code.length === 5 && !code.startsWith('E') ? code.slice(0, 2) : undefined
  const words = error instanceof Error ? error.message : ''
  if (TIMED_OUT.has(code) || code === 'timeout') {
    return new NodeFailure(`Database ${name} gave no answer in time.`, 504)
  }
  if (kind === undefined || AWAY_CLASSES.has(kind)) {
    return new NodeFailure(`Database ${name} cannot be reached (${code}).`, 503)
  }
  if (DATA_CLASSES.has(kind)) {
    return new NodeFailure(`Database ${name} does not take the parameters: ${words}.`, 400)
  }
  if (LOGIN_CLASSES.has(kind)) {
    return new NodeFailure(`Database ${name} does not let the graph in (${code}).`, 502)
  }
  return new NodeFailure(`The query of database ${name} fails: ${words} (${code}).`, 502)
}
