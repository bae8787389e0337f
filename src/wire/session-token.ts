/** Temporary credentials as AssumeRole hands them out. */
export interface SessionCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiresAtMs: number
}

/** What a session token holds. */
export interface SessionClaims {
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

/** Mints temporary credentials. @param installationKey 32 bytes. */
export function mintSession(
  _installationKey: Uint8Array,
  _grant: SessionGrant,
): SessionCredentials {
  throw new Error('unfinished')
}

/** The claims of a session token of this installation, or undefined. Expiry is for the caller to compare. */
export function parseSessionToken(
  _installationKey: Uint8Array,
  _token: string,
): SessionClaims | undefined {
  throw new Error('unfinished')
}
