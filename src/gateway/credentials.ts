import { readFileSync } from 'node:fs'

import type { Installation } from '../domain/arn.ts'
import type { SecretLookup } from '../wire/auth-types.ts'
import { parseSessionToken } from '../wire/session-token.ts'

/** What the credentials file of a data directory holds. */
export interface Credentials extends Installation {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Opens the session tokens of AssumeRole. */
  readonly sessionKey: Uint8Array
}

/** @throws Error naming the file and what it lacks. */
export function loadCredentials(file: string): Credentials {
  const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const field = (name: string): string => {
    const value: unknown = Reflect.get(Object(parsed), name)
    if (typeof value === 'string' && value !== '') return value
    throw new Error(`The credentials file ${file} has no "${name}".`)
  }
  return {
    accessKeyId: field('accessKeyId'),
    secretAccessKey: field('secretAccessKey'),
    sessionKey: Buffer.from(field('sessionKeyHex'), 'hex'),
    accountId: field('accountId'),
    region: field('region'),
  }
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
