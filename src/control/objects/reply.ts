import { Writable } from 'node:stream'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BodyError } from '../../wire/aws-chunked.ts'
import { encodeS3Error } from '../../wire/s3/errors.ts'
import { encodeDocument, encodePlainDocument, element } from '../../wire/s3/xml.ts'
import type { Xml } from '../../wire/s3/xml.ts'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { ObjectsCall } from './objects-call.ts'

const KEEP_ALIVE_MS = 10_000
// A few parts of an SDK's upload.
const DROP_BYTES_MAX = 64 * 1024 ** 2
const DROP_MS_MAX = 10_000

/** Headers that every reply carries. */
export function commonHeaders({ request }: ObjectsCall): Record<string, string> {
  return { 'x-amz-request-id': request.requestId, 'x-amz-id-2': request.requestId, Server: 'Berth' }
}

/** Answers without a body. */
export function sendEmpty(
  call: ObjectsCall,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  // 204 and 304 must not say how long nothing is.
  const length = status === 204 || status === 304 ? {} : { 'Content-Length': '0' }
  call.response.writeHead(status, { ...commonHeaders(call), ...length, ...headers })
  call.response.end()
}

/** Answers with an encoded document. */
export function sendDocument(
  call: ObjectsCall,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  call.response.writeHead(200, {
    ...commonHeaders(call),
    'Content-Type': 'application/xml',
    'Content-Length': String(Buffer.byteLength(body)),
    ...headers,
  })
  call.response.end(body)
}

/**
 * Answers with what may take minutes. After ten seconds the status is sent and a blank from time to time, so that no
 * client gives up; a failure after that is an error document in a 200, which SDKs know.
 *
 * Source: Amazon S3 API reference, CompleteMultipartUpload.
 */
export async function sendWhenDone(
  call: ObjectsCall,
  root: string,
  work: Promise<readonly Xml[]>,
): Promise<void> {
  const { response } = call
  const timer = setInterval(() => {
    if (!response.headersSent) {
      response.writeHead(200, { ...commonHeaders(call), 'Content-Type': 'application/xml' })
      response.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    }
    response.write(' ')
  }, KEEP_ALIVE_MS)
  try {
    const children = await work
    if (!response.headersSent) return sendDocument(call, encodeDocument(root, children))
    response.end(withoutDeclaration(encodeDocument(root, children)))
  } catch (error) {
    if (!response.headersSent) throw error
    if (!isVisible(error)) call.deps.reportBug(error, call.request.requestId)
    const { code, message } = visibleError(error)
    const children = [element('Code', code), element('Message', message)]
    response.end(withoutDeclaration(encodePlainDocument('Error', children)))
  } finally {
    clearInterval(timer)
  }
}

/**
 * Answers with a failure; when the reply has begun, all that is left is to break it off.
 *
 * A client that is still sending looks for the reply only afterwards, so what is left of the body is read and dropped,
 * within bounds, before the connection closes.
 */
export async function sendError(call: ObjectsCall, error: unknown): Promise<void> {
  const { request, response, deps } = call
  if (!isVisible(error) && !request.signal.aborted) deps.reportBug(error, request.requestId)
  if (response.headersSent || request.signal.aborted) {
    response.destroy()
    return
  }
  const reply = encodeS3Error(visibleError(error), {
    requestId: request.requestId,
    resource: call.bucketName === '' ? '/' : `/${call.bucketName}${call.key && `/${call.key}`}`,
    region: deps.region,
    isHead: request.method === 'HEAD',
  })
  const close = request.body.readableEnded ? {} : { Connection: 'close' }
  const length = { 'Content-Length': String(Buffer.byteLength(reply.body)) }
  response.writeHead(reply.status, { ...reply.headers, ...close, ...length })
  response.write(reply.body)
  if (!request.body.readableEnded) await dropRest(request.body, request.signal)
  response.end()
}

/** Reads and forgets what is left of a body, within bounds: closing before would take the reply with it. */
export async function dropRest(body: Readable, signal: AbortSignal): Promise<void> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(DROP_MS_MAX)])
  try {
    let bytes = 0
    const dropping = new Writable({
      write: (chunk: Uint8Array, _encoding, next) => {
        bytes += chunk.byteLength
        next(bytes > DROP_BYTES_MAX ? new Error('enough') : undefined)
      },
    })
    await pipeline(body, dropping, { signal: bounded })
  } catch {
    // Gone, too slow or too much: closing is all that is left.
  }
}

function isVisible(error: unknown): error is BerthError | BodyError {
  return isBerthError(error) || error instanceof BodyError
}

function visibleError(error: unknown): BerthError | BodyError {
  return isVisible(error) ? error : new BerthError('InternalFailure', 'Internal error')
}

function withoutDeclaration(document: string): string {
  return document.slice(document.indexOf('\n') + 1)
}
