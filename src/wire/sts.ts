import { BerthError } from '../domain/errors.ts'
import type { Principal } from './auth-types.ts'
import type { WireReply } from './errors.ts'
import { encodeQueryReply, type QueryNode } from './query.ts'
import type { SessionClaims, SessionCredentials } from './session-token.ts'
import { validationMessage, type Violation } from './validate.ts'

/** A valid AssumeRole request. */
export interface AssumeRole {
  readonly roleArn: string
  readonly sessionName: string
  readonly durationSeconds: number
}

const DURATION_SECONDS_DEFAULT = 3600
const SESSION_NAME = /^[\w+=,.@-]*$/
const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/
// Each narrows or marks the session. Ignoring one would hand out more than was asked for.
const NOT_OFFERED = [
  'Policy',
  'PolicyArns',
  'ProvidedContexts',
  'SerialNumber',
  'SourceIdentity',
  'Tags',
  'TokenCode',
  'TransitiveTagKeys',
]

/**
 * Validates the parameters of AssumeRole. `ExternalId` is accepted: only a trust policy could ask for it.
 *
 * Source: STS API reference, AssumeRole.
 *
 * @throws BerthError `ValidationError`: a constraint is broken, or a parameter is not offered.
 */
export function parseAssumeRole(parameters: QueryNode): AssumeRole {
  const present = NOT_OFFERED.find((name) => parameters[name] !== undefined)
  if (present !== undefined) {
    throw new BerthError('ValidationError', `AssumeRole of Berth does not offer ${present}.`)
  }
  const roleArn = textOf(parameters, 'RoleArn')
  const sessionName = textOf(parameters, 'RoleSessionName')
  const duration = textOf(parameters, 'DurationSeconds') ?? String(DURATION_SECONDS_DEFAULT)
  const violations = [
    ...boundViolations('roleArn', roleArn, 20, 2048),
    ...boundViolations('roleSessionName', sessionName, 2, 64),
    ...durationViolations(duration),
  ]
  if (sessionName !== undefined && !SESSION_NAME.test(sessionName)) {
    const constraint = 'Member must satisfy regular expression pattern: [\\w+=,.@-]*'
    violations.push({ path: 'roleSessionName', value: sessionName, constraint })
  }
  if (violations.length > 0 || roleArn === undefined || sessionName === undefined) {
    throw new BerthError('ValidationError', validationMessage(violations))
  }
  if (!ROLE_ARN.test(roleArn)) throw new BerthError('ValidationError', `${roleArn} is invalid`)
  return { roleArn, sessionName, durationSeconds: Number(duration) }
}

/** Encodes the reply of GetCallerIdentity. */
export function encodeCallerIdentity(principal: Principal, requestId: string): WireReply {
  const { arn, userId, accountId } = principal
  return encodeQueryReply(
    'GetCallerIdentity',
    { Arn: arn, UserId: userId, Account: accountId },
    requestId,
  )
}

/** Encodes the reply of AssumeRole. */
export function encodeAssumedRole(
  credentials: SessionCredentials,
  { assumedRoleArn, assumedRoleId }: Pick<SessionClaims, 'assumedRoleArn' | 'assumedRoleId'>,
  requestId: string,
): WireReply {
  const { accessKeyId, secretAccessKey, sessionToken, expiresAtMs } = credentials
  const expiration = `${new Date(expiresAtMs).toISOString().slice(0, 19)}Z`
  return encodeQueryReply(
    'AssumeRole',
    {
      AssumedRoleUser: { AssumedRoleId: assumedRoleId, Arn: assumedRoleArn },
      Credentials: {
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        SessionToken: sessionToken,
        Expiration: expiration,
      },
    },
    requestId,
  )
}

function textOf(parameters: QueryNode, name: string): string | undefined {
  const value = parameters[name]
  if (value === undefined || typeof value === 'string') return value
  throw new BerthError('ValidationError', `${name} must be a single value.`)
}

function boundViolations(
  path: string,
  value: string | undefined,
  min: number,
  max: number,
): Violation[] {
  if (value === undefined) return [{ path, value, constraint: 'Member must not be null' }]
  if (value.length < min) {
    return [{ path, value, constraint: `Member must have length greater than or equal to ${min}` }]
  }
  if (value.length <= max) return []
  return [{ path, value, constraint: `Member must have length less than or equal to ${max}` }]
}

function durationViolations(value: string): readonly Violation[] {
  const path = 'durationSeconds'
  if (!/^\d{1,9}$/.test(value)) return [{ path, value, constraint: 'Member must be an integer' }]
  if (Number(value) < 900) {
    return [{ path, value, constraint: 'Member must have value greater than or equal to 900' }]
  }
  if (Number(value) <= 43_200) return []
  return [{ path, value, constraint: 'Member must have value less than or equal to 43200' }]
}
