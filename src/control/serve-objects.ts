import type { IncomingMessage, ServerResponse } from 'node:http'

import { authError } from '../wire/auth-errors.ts'
import type { AuthFailure, VerifyResult } from '../wire/auth-types.ts'
import { findHeader } from '../wire/headers.ts'
import { findVirtualHostBucket } from '../wire/s3/address.ts'
import { encodeS3Error } from '../wire/s3/errors.ts'
import { verifyRequest } from '../wire/sigv4.ts'
import type { VerifyDeps } from '../wire/sigv4.ts'
import type { RouteObjects } from './deps.ts'
import type { ObjectsDeps } from './objects/objects-call.ts'
import { dropRest } from './objects/reply.ts'
import { routeObjects } from './objects/route-objects.ts'

/** What answering the S3 face takes besides its own deps. */
export interface ServeObjectsDeps
  extends ObjectsDeps, Pick<VerifyDeps, 'findSecret' | 'signingKeys'> {
  /** Epoch milliseconds. */
  readonly nowMs: () => number
}

/**
 * The S3 face as the control server calls it: the signature is verified on the head alone, because S3 clients always
 * promise the body's hash there; the promise is kept by the operation as the body streams.
 */
export function createServeObjects(deps: ServeObjectsDeps): RouteObjects {
  return async (request, response, requestId) => {
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    const { signal } = gone
    const result = verify(request, deps)
    if (result.kind !== 'verified') {
      return refuse(request, response, { requestId, result, signal, deps })
    }
    const verified = {
      method: request.method ?? '',
      rawTarget: request.url ?? '',
      rawHeaders: request.rawHeaders,
      body: request,
      auth: result,
      requestId,
      signal,
    }
    await routeObjects(verified, response, deps)
  }
}

function verify(request: IncomingMessage, deps: ServeObjectsDeps): VerifyResult {
  const { method = '', url: rawTarget = '', rawHeaders } = request
  return verifyRequest(
    { method, rawTarget, rawHeaders, bodySha256: undefined },
    {
      findSecret: deps.findSecret,
      signingKeys: deps.signingKeys,
      regions: [deps.region],
      services: ['s3'],
      nowMs: deps.nowMs(),
      virtualHostBucket: findVirtualHostBucket(findHeader(rawHeaders, 'host'), deps.hostSuffixes),
    },
  )
}

interface Refusal {
  readonly requestId: string
  readonly signal: AbortSignal
  readonly result: Exclude<VerifyResult, { readonly kind: 'verified' }>
  readonly deps: ServeObjectsDeps
}

// Only a client that is not an S3 client leaves the hash out of the head.
const NO_HASH: AuthFailure = {
  kind: 'missing-content-sha256',
  message: 'Missing required header for this request: x-amz-content-sha256',
}

async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal,
): Promise<void> {
  const { requestId, result, deps } = refusal
  const error = authError(result.kind === 'rejected' ? result.failure : NO_HASH, 's3')
  const reply = encodeS3Error(error, {
    requestId,
    resource: request.url?.split('?')[0] ?? '/',
    region: deps.region,
    isHead: request.method === 'HEAD',
  })
  const length = { 'Content-Length': String(Buffer.byteLength(reply.body)) }
  response.writeHead(reply.status, { ...reply.headers, ...length, Connection: 'close' })
  response.write(reply.body)
  await dropRest(request, refusal.signal)
  response.end()
}
