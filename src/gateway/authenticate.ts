import { hash } from 'node:crypto'

import { BerthError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import { authError } from '../wire/auth-errors.ts'
import type { AuthError } from '../wire/auth-errors.ts'
import type {
  AuthFailure,
  NeedsBody,
  Principal,
  SignedRequest,
  VerifiedRequest,
  VerifyResult,
} from '../wire/auth-types.ts'
import { bodyMismatch, matchesPayload, verifyRequest } from '../wire/sigv4.ts'
import { HeadForms } from '../wire/sigv4-forms.ts'
import { SigningKeyCache } from '../wire/sigv4-keys.ts'
import { findSecret } from '../wire/find-secret.ts'
import type { Credentials } from '../wire/find-secret.ts'

/** A request whose signature is missing or wrong. */
export class AuthRefusal extends Error {
  readonly failure: AuthError

  constructor(failure: AuthFailure) {
    super(failure.message)
    this.name = 'AuthRefusal'
    this.failure = authError(failure, 'rest-json')
  }
}

/** A request as far as its head says who signed it. */
export type SignedHead = Omit<SignedRequest, 'bodySha256'>

/** A head that was not refused; opaque, for {@link Authenticator.verifyBody}. */
export type VerifiedHead = VerifiedRequest | NeedsBody

const SERVICES = ['sagemaker']

/** Verifies the signatures of invocations. */
export class Authenticator {
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #regions: readonly string[]
  readonly #signingKeys = new SigningKeyCache()
  readonly #forms = new HeadForms()

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials
    this.#clock = clock
    this.#regions = [credentials.region]
  }

  /**
   * Refuses what the head alone shows to be wrong, before a byte of the body is kept.
   *
   * @returns what {@link verifyBody} completes without reading the head again.
   * @throws AuthRefusal
   */
  verifyHead({ method, rawTarget, rawHeaders }: SignedHead): VerifiedHead {
    const nowMs = this.#clock.nowMs()
    const result = verifyRequest(
      { method, rawTarget, rawHeaders, bodySha256: undefined },
      {
        findSecret: (accessKeyId, sessionToken) =>
          findSecret(this.#credentials, accessKeyId, sessionToken, nowMs),
        regions: this.#regions,
        services: SERVICES,
        nowMs,
        signingKeys: this.#signingKeys,
        forms: this.#forms,
      },
    )
    const verified = acceptedOf(result)
    if (verified.kind === 'verified' && verified.payload.kind === 'streaming') {
      const what = 'The body of an invocation must not be aws-chunked.'
      throw new BerthError('ValidationError', what)
    }
    return verified
  }

  /**
   * Verifies that the body is the one that was signed.
   *
   * @param verifiedHead what {@link verifyHead} returned
   * @throws AuthRefusal
   */
  verifyBody(verifiedHead: VerifiedHead, body: Buffer): Principal {
    if (verifiedHead.kind === 'verified' && verifiedHead.payload.kind === 'unsigned') {
      return verifiedHead.principal
    }
    const bodySha256 = hash('sha256', body, 'hex')
    const verified =
      verifiedHead.kind === 'verified'
        ? verifiedHead
        : acceptedOf(verifiedHead.verifyRest(bodySha256))
    if (verified.kind !== 'verified' || !matchesPayload(verified.payload, bodySha256)) {
      throw new AuthRefusal(bodyMismatch())
    }
    return verified.principal
  }
}

function acceptedOf(result: VerifyResult): VerifiedHead {
  if (result.kind === 'rejected') throw new AuthRefusal(result.failure)
  return result
}
