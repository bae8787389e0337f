import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'

/** Temporary credentials as AssumeRole hands them out. */
export interface SessionCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiresAtMs: number
}

/** What a session token holds. */
export interface SessionClaims {
  /** The access key the token was minted for; a token used with another key is not valid. */
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly roleArn: string
  readonly sessionName: string
  /** `arn:aws:sts::<account>:assumed-role/<role>/<session>`. */
  readonly assumedRoleArn: string
  /** `AROA…:<session>`, the user id of GetCallerIdentity. */
  readonly assumedRoleId: string
  readonly expiresAtMs: number
}

/** What minting takes. */
export interface SessionGrant {
  readonly roleArn: string
  readonly sessionName: string
  readonly expiresAtMs: number
  /** Cryptographically random bytes, e.g. `randomBytes` of node:crypto. */
  readonly randomBytes: (count: number) => Uint8Array
}

const NONCE_BYTES = 12
const TAG_BYTES = 16
const TOKEN_CHARS_MAX = 8192
// Base32, as AWS's key ids use it.
const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/**
 * Mints temporary credentials that verify without a store look-up: the token carries the claims, encrypted.
 *
 * AES-256-GCM with a fresh 96-bit random nonce per token; at the rate people assume roles a repeated nonce is not a
 * concern (2^32 tokens per key is the usual bound).
 *
 * @param installationKey 32 bytes.
 */
export function mintSession(installationKey: Uint8Array, grant: SessionGrant): SessionCredentials {
  const { roleArn, sessionName, expiresAtMs, randomBytes } = grant
  const accessKeyId = `ASIA${encodeId(randomBytes(16))}`
  const secretAccessKey = Buffer.from(randomBytes(30)).toString('base64')
  const claims = JSON.stringify([accessKeyId, secretAccessKey, roleArn, sessionName, expiresAtMs])
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', tokenKey(installationKey), nonce)
  const sealed = Buffer.concat([nonce, cipher.update(claims, 'utf8'), cipher.final()])
  const sessionToken = Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64')
  return { accessKeyId, secretAccessKey, sessionToken, expiresAtMs }
}

/**
 * The claims of a session token of this installation, or undefined. The caller compares `accessKeyId` with the one
 * in the request and `expiresAtMs` with its clock.
 */
export function parseSessionToken(
  installationKey: Uint8Array,
  token: string,
): SessionClaims | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined
  const bytes = Buffer.from(token, 'base64')
  // A lenient decoder accepts several spellings of one token; only the one that was minted is valid.
  if (bytes.length <= NONCE_BYTES + TAG_BYTES || bytes.toString('base64') !== token)
    return undefined
  const claims = unseal(installationKey, bytes)
  if (claims === undefined) return undefined
  const [accessKeyId, secretAccessKey, roleArn, sessionName, expiresAtMs] = claims
  return {
    accessKeyId,
    secretAccessKey,
    roleArn,
    sessionName,
    expiresAtMs,
    ...assumedRole(installationKey, roleArn, sessionName),
  }
}

/** The ARN and user id of a role session. The id is the same for every session of a role. */
export function assumedRole(
  installationKey: Uint8Array,
  roleArn: string,
  sessionName: string,
): Pick<SessionClaims, 'assumedRoleArn' | 'assumedRoleId'> {
  const [, partition = 'aws', , , accountId = '', resource = ''] = roleArn.split(':')
  // The path of a role is not part of the session's ARN. Source: IAM user guide, unique identifiers and ARNs.
  const roleName = resource.slice(resource.lastIndexOf('/') + 1)
  const digest = createHmac('sha256', installationKey).update(`role-id\0${roleArn}`).digest()
  return {
    assumedRoleArn: `arn:${partition}:sts::${accountId}:assumed-role/${roleName}/${sessionName}`,
    assumedRoleId: `AROA${encodeId(digest)}:${sessionName}`,
  }
}

type Claims = readonly [string, string, string, string, number]

function unseal(installationKey: Uint8Array, bytes: Buffer): Claims | undefined {
  const nonce = bytes.subarray(0, NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', tokenKey(installationKey), nonce, {
    authTagLength: TAG_BYTES,
  })
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const opened = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    // Authenticated by the tag, so it is what mintSession wrote.
    return JSON.parse(Buffer.concat([opened, decipher.final()]).toString('utf8')) as Claims
  } catch {
    return undefined
  }
}

// The installation key has other uses; each derives its own.
function tokenKey(installationKey: Uint8Array): Buffer {
  return createHmac('sha256', installationKey).update('session-token').digest()
}

function encodeId(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 16), (byte) => ID_ALPHABET[byte % 32]).join('')
}
