import { createHash } from 'node:crypto'
import { authError } from '../wire/auth-errors.ts'
import type { AuthError } from '../wire/auth-errors.ts'
import type { Principal, SignedRequest } from '../wire/auth-types.ts'
import type { ErrorFamily } from '../wire/errors.ts'
import { verifyRequest } from '../wire/sigv4.ts'
import { BODY_BYTES_MAX, BODY_TIMEOUT_MS, readBody } from './body.ts'
import type { Exchange } from './deps.ts'

/** What a signature must be made for, and how a refusal is said. */
export interface Expected {
  /** Any service when undefined. */
  readonly service: string | undefined
  readonly family: ErrorFamily
}

/** Who signed the request and the body that the signature covers, or why it is refused. */
export type Authenticated =
  | { readonly kind: 'authenticated'; readonly principal: Principal; readonly body: Buffer }
  | { readonly kind: 'rejected'; readonly error: AuthError }

/**
 * Reads the body and verifies the signature over it. What can be refused without the body, is: nobody without a key of
 * this installation makes control buffer anything.
 */
export async function authenticate(
  { request, deps }: Exchange,
  { service, family }: Expected,
): Promise<Authenticated> {
  const { method = '', url = '', rawHeaders } = request
  const verify = (bodySha256: string | undefined): ReturnType<typeof verifyRequest> => {
    const signed: SignedRequest = { method, rawTarget: url, rawHeaders, bodySha256 }
    return verifyRequest(signed, {
      findSecret: deps.findSecret,
      regions: [deps.installation.region],
      ...(service === undefined ? {} : { services: [service] }),
      nowMs: deps.clock.nowMs(),
      signingKeys: deps.signingKeys,
    })
  }

  const early = verify(undefined)
  if (early.kind === 'rejected') {
    return { kind: 'rejected', error: authError(early.failure, family) }
  }
  const body = await readBody(request, {
    bytesMax: BODY_BYTES_MAX,
    signal: AbortSignal.timeout(BODY_TIMEOUT_MS),
  })
  const result = verify(createHash('sha256').update(body).digest('hex'))
  switch (result.kind) {
    case 'verified':
      return { kind: 'authenticated', principal: result.principal, body }
    case 'rejected':
      return { kind: 'rejected', error: authError(result.failure, family) }
    case 'needs-body':
      throw new Error('verification asks for a body that it has')
  }
}
