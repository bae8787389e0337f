import { timingSafeEqual } from 'node:crypto'
import type {
  AuthFailure,
  AuthFailureKind,
  SecretLookup,
  SignedPayload,
  SignedRequest,
  VerifyResult,
} from './auth-types.ts'
import type { HeadForms } from './sigv4-forms.ts'
import type { SigningKeyCache } from './sigv4-keys.ts'
import { canonicalQuery, canonicalUri, hashCanonicalRequest } from './sigv4-canonical.ts'
import { parseClaim, type SignatureClaim } from './sigv4-claim.ts'
import { findClockFailure } from './sigv4-clock.ts'
import { choosePayloadHash, toSignedPayload } from './sigv4-payload.ts'
import { findScopeFailure } from './sigv4-scope.ts'
import { isSigV2Query, verifySigV2 } from './sigv2.ts'

/** What verification takes from its surroundings. */
export interface VerifyDeps {
  readonly findSecret: (accessKeyId: string, sessionToken: string | undefined) => SecretLookup
  /** Regions a credential scope may name. */
  readonly regions: readonly string[]
  /** Services a credential scope may name; the first one is named in the refusal. Any when absent. */
  readonly services?: readonly string[]
  readonly nowMs: number
  readonly signingKeys: SigningKeyCache
  /** Makes the next requests of the same clients cheaper to verify; worth it where there are many. */
  readonly forms?: HeadForms
  /** Bucket of a virtual-host style request; Signature V2 signs it as part of the path. */
  readonly virtualHostBucket?: string | undefined
}

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'
const UNKNOWN_KEY = 'The security token included in the request is invalid.'
const TOKEN_EXPIRED = 'The security token included in the request is expired'
const BODY_MISMATCH = "The provided 'x-amz-content-sha256' header does not match what was computed."

/**
 * Verifies a header-signed or presigned request. Never throws for anything a client can send.
 *
 * In this order: well formed, scope, clock, key and token, every `x-amz-*` header signed, signature, body hash. A
 * caller that has not read the body yet gives no `bodySha256`: the answer is then `needs-body`, a refusal, or
 * `verified` with the promised hash, which it compares through {@link matchesPayload} after the last byte.
 *
 * Source: control-plane reference §2.
 */
export function verifyRequest(request: SignedRequest, deps: VerifyDeps): VerifyResult {
  if (isSigV2Query(request, deps.services)) return verifyOldForm(request, deps)
  const { forms } = deps
  const recalled = forms?.recall(request)
  if (recalled !== undefined) return verifyClaim(request, recalled, deps)
  const parsed = parseClaim(request)
  if (parsed.kind === 'rejected') return parsed
  const result = verifyClaim(request, parsed.claim, deps)
  return forms === undefined ? result : learnFrom(result, request, forms)
}

/** Whether the signature can only be verified with the hash of the body. */
export function requiresBody(request: SignedRequest): boolean {
  if (isSigV2Query(request, undefined)) return false
  const parsed = parseClaim(request)
  return parsed.kind === 'claim' && choosePayloadHash(parsed.claim).kind === 'body'
}

/** Whether a body with this hash is the one that was signed. True for unsigned and streaming payloads. */
export function matchesPayload(payload: SignedPayload, bodySha256: string): boolean {
  return payload.kind !== 'hash' || payload.sha256 === bodySha256
}

/** The refusal of a body whose hash is not the signed one. */
export function bodyMismatch(): AuthFailure {
  return { kind: 'body-mismatch', message: BODY_MISMATCH }
}

function verifyOldForm(request: SignedRequest, deps: VerifyDeps): VerifyResult {
  const result = verifySigV2(request, deps)
  if (result.kind === 'no-secret') return rejectSecret(result.reason)
  return result.kind === 'mismatch' ? rejectSignature() : result
}

function verifyClaim(
  request: SignedRequest,
  claim: SignatureClaim,
  deps: VerifyDeps,
): VerifyResult {
  const failure =
    findScopeFailure(claim, deps) ??
    findClockFailure(claim, claim.service, deps.nowMs) ??
    claim.unsignedHeader
  if (failure !== undefined) return { kind: 'rejected', failure }
  const secret = deps.findSecret(claim.accessKeyId, claim.sessionToken)
  if (secret.kind !== 'found') return rejectSecret(secret.kind)
  return verifySignature(request, claim, secret, deps)
}

// A request is the form of the next ones only when its signature was right, and with some that takes the body.
function learnFrom(result: VerifyResult, request: SignedRequest, forms: HeadForms): VerifyResult {
  if (result.kind === 'verified') forms.learn(request)
  if (result.kind !== 'needs-body') return result
  const { verifyRest } = result
  return {
    kind: 'needs-body',
    verifyRest: (bodySha256) => learnFrom(verifyRest(bodySha256), request, forms),
  }
}

function rejectSecret(kind: Exclude<SecretLookup['kind'], 'found'>): VerifyResult {
  if (kind === 'token-expired') return reject('token-expired', TOKEN_EXPIRED)
  return reject(kind, UNKNOWN_KEY)
}

function rejectSignature(): VerifyResult {
  return reject('bad-signature', MISMATCH)
}

function verifySignature(
  request: SignedRequest,
  claim: SignatureClaim,
  secret: Extract<SecretLookup, { kind: 'found' }>,
  deps: VerifyDeps,
): VerifyResult {
  const choice = choosePayloadHash(claim)
  if (choice.kind === 'rejected') return choice
  const payloadHash = choice.kind === 'given' ? choice.text : request.bodySha256
  if (payloadHash === undefined) {
    const verifyRest = (bodySha256: string) =>
      verifySignature({ ...request, bodySha256 }, claim, secret, deps)
    return { kind: 'needs-body', verifyRest }
  }
  const { form, accessKeyId, service, region, amzDate, signedHeaders, signedValues } = claim
  if (signedValues === undefined) return rejectSignature()
  const canonicalHash = hashCanonicalRequest({
    method: request.method,
    uri: canonicalUri(claim.path, service),
    query: canonicalQuery(claim.query, form === 'query' ? 'X-Amz-Signature' : undefined),
    signedHeaders,
    signedValues,
    payloadHash,
  })
  const signingKey = deps.signingKeys.find(secret.secretAccessKey, claim)
  const expected = signingKey.sign(amzDate, canonicalHash)
  if (!isSameSignature(expected, claim.signature)) return rejectSignature()
  const payload = toSignedPayload(payloadHash, claim, signingKey)
  if (request.bodySha256 !== undefined && !matchesPayload(payload, request.bodySha256)) {
    return { kind: 'rejected', failure: bodyMismatch() }
  }
  const { principal } = secret
  return { kind: 'verified', form, accessKeyId, service, region, payload, principal }
}

// Kept, because making two takes longer than comparing them.
const expectedBytes = Buffer.alloc(64)
const givenBytes = Buffer.alloc(64)

// Takes equally long wherever the two differ.
function isSameSignature(expected: string, given: string): boolean {
  if (given.length !== givenBytes.length) return false
  // As UTF-8, in which a character beyond ASCII becomes bytes that no digit has, or does not fit any more.
  if (givenBytes.write(given) !== givenBytes.length) return false
  expectedBytes.write(expected, 'latin1')
  return timingSafeEqual(expectedBytes, givenBytes)
}

function reject(kind: AuthFailureKind, message: string): VerifyResult {
  return { kind: 'rejected', failure: { kind, message } }
}
