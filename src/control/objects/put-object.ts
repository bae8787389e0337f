import { BerthError } from '../../domain/errors.ts'
import type { WriteCondition } from '../../ports/object-store.ts'
import { parseEtag } from '../../wire/s3/conditions.ts'
import { parseProperties } from '../../wire/s3/properties.ts'
import type { HeaderProperties } from '../../wire/s3/properties.ts'
import { addressOf, headerNamesOf, headerOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'
import { sendEmpty } from './reply.ts'
import { checksumHeaders, openBody } from './request-body.ts'

/** PutObject. */
export async function putObject(call: ObjectsCall): Promise<void> {
  const { deps, request } = call
  const { body, checksums } = openBody(call)
  const put = {
    ...addressOf(call),
    body,
    checksums,
    properties: propertiesOf(call),
    condition: writeConditionOf(call),
  }
  const { etag } = await deps.objectStore.putObject(put, request.signal)
  sendEmpty(call, 200, { ETag: `"${etag}"`, ...checksumHeaders(checksums()) })
}

/** What the headers of a write say about the object. */
export function propertiesOf(call: ObjectsCall): HeaderProperties {
  return parseProperties((name) => headerOf(call, name), headerNamesOf(call))
}

/** @throws BerthError `NotImplemented`: a condition that S3 does not have for writes either. */
export function writeConditionOf(call: ObjectsCall): WriteCondition | undefined {
  const ifMatch = headerOf(call, 'if-match')
  const ifNoneMatch = headerOf(call, 'if-none-match')
  const isOdd =
    (ifNoneMatch !== undefined && (ifNoneMatch !== '*' || ifMatch !== undefined)) ||
    headerOf(call, 'if-modified-since') !== undefined ||
    headerOf(call, 'if-unmodified-since') !== undefined
  if (isOdd) {
    throw new BerthError(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented: writes take If-Match, or If-None-Match with *.',
    )
  }
  if (ifNoneMatch !== undefined) return { kind: 'absent' }
  return ifMatch === undefined ? undefined : { kind: 'etag', etag: parseEtag(ifMatch) }
}
