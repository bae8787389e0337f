import { hash } from 'node:crypto'

import { BerthError } from '../domain/errors.ts'
import type { Clock } from '../ports/clock.ts'
import { authError } from '../wire/auth-errors.ts'
import type { AuthError } from '../wire/auth-errors.ts'
import type { AuthFailure, Principal, SignedRequest, VerifiedRequest } from '../wire/auth-types.ts'
import { bodyMismatch, matchesPayload, verifyRequest } from '../wire/sigv4.ts'
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

/** Verifies the signatures of invocations. */
export class Authenticator {
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #signingKeys = new SigningKeyCache()

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials
    this.#clock = clock
  }

  /**
   * Refuses what the head alone shows to be wrong, before a byte of the body is kept.
   *
   * @returns undefined when the signature covers a body hash that the head does not name.
   * @throws AuthRefusal
   */
  verifyHead(head: SignedHead): VerifiedRequest | undefined {
    const verified = this.#verify(head, undefined)
    if (verified?.payload.kind === 'streaming') {
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
  verifyBody(head: SignedHead, verifiedHead: VerifiedRequest | undefined, body: Buffer): Principal {
    if (verifiedHead?.payload.kind === 'unsigned') return verifiedHead.principal
    const bodySha256 = hash('sha256', body, 'hex')
    const verified = verifiedHead ?? this.#verify(head, bodySha256)
    if (verified === undefined || !matchesPayload(verified.payload, bodySha256)) {
      throw new AuthRefusal(bodyMismatch())
    }
    return verified.principal
  }

  #verify(head: SignedHead, bodySha256: string | undefined): VerifiedRequest | undefined {
    const nowMs = this.#clock.nowMs()
    const result = verifyRequest(
      { ...head, bodySha256 },
      {
        findSecret: (accessKeyId, sessionToken) =>
          findSecret(this.#credentials, accessKeyId, sessionToken, nowMs),
        regions: [this.#credentials.region],
        services: ['sagemaker'],
        nowMs,
        signingKeys: this.#signingKeys,
      },
    )
    if (result.kind === 'rejected') throw new AuthRefusal(result.failure)
    return result.kind === 'verified' ? result : undefined
  }
}
