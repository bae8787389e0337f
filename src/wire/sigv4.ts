import type { SecretLookup, SignedPayload, SignedRequest, VerifyResult } from './auth-types.ts'
import type { SigningKeyCache } from './sigv4-keys.ts'

/** What verification takes from its surroundings. */
export interface VerifyDeps {
  readonly findSecret: (accessKeyId: string, sessionToken: string | undefined) => SecretLookup
  /** Regions a credential scope may name. */
  readonly regions: readonly string[]
  /** Services a credential scope may name; the first one is named in the refusal. Any when absent. */
  readonly services?: readonly string[]
  readonly nowMs: number
  readonly signingKeys: SigningKeyCache
}

/** Verifies a header-signed or presigned request. Never throws for anything a client can send. */
export function verifyRequest(_request: SignedRequest, _deps: VerifyDeps): VerifyResult {
  throw new Error('unfinished')
}

/** Whether the signature can only be verified with the hash of the body. */
export function requiresBody(_request: SignedRequest): boolean {
  throw new Error('unfinished')
}

/** Whether a body with this hash is the one that was signed. True for unsigned and streaming payloads. */
export function matchesPayload(_payload: SignedPayload, _bodySha256: string): boolean {
  throw new Error('unfinished')
}
