import { isBerthError } from '../domain/errors.ts'
import { ConfigError } from '../platform/config.ts'
import type { ExitReason } from './exit-codes.ts'
import { fieldOf, numberField, textField } from './json.ts'

/** Why a command cannot go on: one sentence for people, a cure where there is one, and the exit code. */
export class CliFailure extends Error {
  readonly exitReason: ExitReason
  readonly cure: string | undefined

  constructor(exitReason: ExitReason, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CliFailure'
    this.exitReason = exitReason
    this.cure = options.cure
  }
}

interface FailureOptions {
  readonly cure?: string | undefined
  readonly cause?: unknown
}

const MESSAGE_CHARS_MAX = 600

// Codes of Node's sockets and of undici.
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
  'TimeoutError',
])

// Source: control-plane reference §6.2, data-plane reference §3: SageMaker has no code of its own for "unknown".
const NOT_FOUND =
  /^Could not find |^Endpoint \S+ of account \d+ not found|^Endpoint \S+ has no variant /

// To an invocation an endpoint that does not serve is not there, as on SageMaker.
const NO_ENDPOINT = /^Could not find endpoint |^Endpoint \S+ of account \d+ not found/
const ENDPOINTS_CURE = 'berth list shows the endpoints, and which are InService.'

/** Any caught value as a failure; what nobody foresaw keeps its stack as the cause. */
export function toFailure(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error
  if (error instanceof ConfigError) return new CliFailure('usage', error.problems.join('\n'))
  const cut = findNetworkError(error)
  if (cut !== undefined) {
    return new CliFailure('unreachable', `Berth does not answer${describeCut(cut)}.`, {
      cure: 'Is it running? Start it with: berth up. Look closer with: berth doctor',
      cause: error,
    })
  }
  return toServiceFailure(error)
}

/** Whether an AWS client was told that the thing does not exist. */
export function isNotFound(error: unknown): boolean {
  const name = textField(error, 'name')
  if (name === 'ResourceNotFound' || name === 'NoSuchBucket' || name === 'NotFound') return true
  return NOT_FOUND.test(textField(error, 'message') ?? '')
}

function toServiceFailure(error: unknown): CliFailure {
  const message = error instanceof Error ? error.message : String(error)
  const status = numberField(fieldOf(error, '$metadata'), 'httpStatusCode')
  const name = textField(error, 'name') ?? 'Error'
  if (name === 'ModelError') return toModelFailure(error, message)
  if (status === undefined && !isBerthError(error)) {
    return new CliFailure('failed', message, { cause: error })
  }
  const exitReason = isNotFound(error) ? 'notFound' : 'failed'
  return new CliFailure(exitReason, `${name}: ${shorten(message)}`, {
    cause: error,
    cure: NO_ENDPOINT.test(message) ? ENDPOINTS_CURE : cureOf(name),
  })
}

// The service lists every allowed value, which for an instance type is pages of them.
function shorten(message: string): string {
  return message.length <= MESSAGE_CHARS_MAX ? message : `${message.slice(0, MESSAGE_CHARS_MAX)} …`
}

function toModelFailure(error: unknown, message: string): CliFailure {
  const status = numberField(error, 'OriginalStatusCode')
  const original = textField(error, 'OriginalMessage')?.trim()
  const text = status === undefined ? message : `The model answered ${status}: ${original ?? ''}`
  return new CliFailure('modelError', `ModelError: ${text}`, { cause: error })
}

function cureOf(errorName: string): string | undefined {
  switch (errorName) {
    case 'UnrecognizedClientException':
    case 'InvalidSignatureException':
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
      return 'These are credentials of another installation: name it with --data-dir, or eval "$(berth env)".'
    case 'ExpiredTokenException':
      return 'Take new credentials: eval "$(berth env)".'
    default:
      return undefined
  }
}

/** The error of a socket, however deep a client has wrapped it. */
function findNetworkError(error: unknown, depth = 0): unknown {
  const code = textField(error, 'code') ?? textField(error, 'name')
  if (code !== undefined && UNREACHABLE.has(code)) return error
  if (depth === 4) return undefined
  const inner = fieldOf(error, 'errors')
  const cause = Array.isArray(inner) ? inner[0] : fieldOf(error, 'cause')
  return cause === undefined ? undefined : findNetworkError(cause, depth + 1)
}

function describeCut(error: unknown): string {
  const code = textField(error, 'code') ?? textField(error, 'name')
  const host = textField(error, 'address') ?? textField(error, 'hostname')
  const port = numberField(error, 'port')
  const at = host === undefined ? '' : ` at ${host}${port === undefined ? '' : `:${port}`}`
  return `${at} (${code ?? 'no reason given'})`
}
