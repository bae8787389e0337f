import { pipeline } from 'node:stream/promises'
import { BerthError } from '../../domain/errors.ts'
import type { ObjectMetadata } from '../../ports/object-store.ts'
import { decideConditions } from '../../wire/s3/conditions.ts'
import { encodeProperties } from '../../wire/s3/properties.ts'
import { parseRange } from '../../wire/s3/range.ts'
import { addressOf, headerOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'
import { commonHeaders, sendEmpty } from './reply.ts'

/**
 * GetObject and HeadObject. Never a checksum header: on a range it would be the one of the whole object, and SDKs would
 * refuse the bytes (data-plane reference §18.5).
 */
export async function getObject(call: ObjectsCall): Promise<void> {
  const { request, response, deps } = call
  const opened = await deps.objectStore.openObject(addressOf(call), request.signal)
  try {
    const { metadata } = opened
    if (answersCondition(call, metadata)) return
    const range = parseRange(headerOf(call, 'range'), metadata.sizeBytes)
    if (range.kind === 'unsatisfiable') throw invalidRange(metadata.sizeBytes)
    const isPart = range.kind === 'part'
    const length = isPart ? range.lastByte - range.firstByte + 1 : metadata.sizeBytes
    response.writeHead(isPart ? 206 : 200, {
      ...commonHeaders(call),
      ...validators(metadata),
      ...encodeProperties(metadata.properties, call.query),
      'Accept-Ranges': 'bytes',
      'Content-Length': String(length),
      ...(isPart
        ? { 'Content-Range': `bytes ${range.firstByte}-${range.lastByte}/${metadata.sizeBytes}` }
        : {}),
    })
    if (request.method === 'HEAD') response.end()
    else
      await pipeline(opened.read(isPart ? range : undefined), response, { signal: request.signal })
  } finally {
    await opened.close()
  }
}

/** @returns whether the conditions already answered the request. */
function answersCondition(call: ObjectsCall, metadata: ObjectMetadata): boolean {
  const verdict = decideConditions(
    {
      ifMatch: headerOf(call, 'if-match'),
      ifNoneMatch: headerOf(call, 'if-none-match'),
      ifModifiedSince: headerOf(call, 'if-modified-since'),
      ifUnmodifiedSince: headerOf(call, 'if-unmodified-since'),
    },
    metadata,
  )
  if (verdict.kind === 'holds') return false
  if (verdict.kind === 'failed') {
    throw new BerthError(
      'PreconditionFailed',
      'At least one of the pre-conditions you specified did not hold',
      { members: { Condition: verdict.condition } },
    )
  }
  sendEmpty(call, 304, validators(metadata))
  return true
}

function validators({ etag, modifiedAtMs }: ObjectMetadata): Record<string, string> {
  return { ETag: `"${etag}"`, 'Last-Modified': new Date(modifiedAtMs).toUTCString() }
}

function invalidRange(sizeBytes: number): BerthError {
  return new BerthError('InvalidRange', 'The requested range is not satisfiable', {
    members: { ActualObjectSize: sizeBytes },
  })
}
