import type { Installation } from '../domain/arn.ts'
import type { SecretLookup } from './auth-types.ts'
import { parseSessionToken } from './session-token.ts'

/** The root access key of an installation and the key of its session tokens. */
export interface Credentials extends Installation {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Opens the session tokens of AssumeRole. */
  readonly sessionKey: Uint8Array
}

/** Finds the secret of an access key: the root key of the installation, or the one sealed in a session token. */
export function findSecret(
  credentials: Credentials,
  accessKeyId: string,
  sessionToken: string | undefined,
  nowMs: number,
): SecretLookup {
  const { accountId } = credentials
  if (accessKeyId === credentials.accessKeyId) {
    if (sessionToken !== undefined) return { kind: 'bad-token' }
    const principal = { arn: `arn:aws:iam::${accountId}:root`, userId: accountId, accountId }
    return { kind: 'found', secretAccessKey: credentials.secretAccessKey, principal }
  }
  if (sessionToken === undefined) return { kind: 'unknown-key' }
  const claims = parseSessionToken(credentials.sessionKey, sessionToken)
  if (claims === undefined || claims.accessKeyId !== accessKeyId) return { kind: 'bad-token' }
  if (claims.expiresAtMs <= nowMs) return { kind: 'token-expired' }
  const principal = { arn: claims.assumedRoleArn, userId: claims.assumedRoleId, accountId }
  return { kind: 'found', secretAccessKey: claims.secretAccessKey, principal }
}
