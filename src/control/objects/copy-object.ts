import { BerthError } from '../../domain/errors.ts'
import type { ByteRange, ObjectAddress, ObjectMetadata } from '../../ports/object-store.ts'
import { parseCopySource } from '../../wire/s3/address.ts'
import { decideConditions } from '../../wire/s3/conditions.ts'
import { element } from '../../wire/s3/xml.ts'
import type { Xml } from '../../wire/s3/xml.ts'
import { addressOf, headerOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'
import { propertiesOf, writeConditionOf } from './put-object.ts'
import { sendWhenDone } from './reply.ts'
import { partAddressOf } from './uploads.ts'

/** CopyObject: metadata and tags come along unless their directive is REPLACE. */
export async function copyObject(call: ObjectsCall): Promise<void> {
  const { deps, request } = call
  const { source, metadata } = await observeSource(call)
  const target = addressOf(call)
  const given = propertiesOf(call)
  const replacesMetadata = isReplace(call, 'x-amz-metadata-directive')
  const replacesTags = isReplace(call, 'x-amz-tagging-directive')
  const isSame = source.bucketName === target.bucketName && source.key === target.key
  if (isSame && !replacesMetadata && !replacesTags) throw copyToItself()
  const properties = {
    ...(replacesMetadata ? given : metadata.properties),
    tags: replacesTags ? given.tags : metadata.properties.tags,
  }
  const condition = writeConditionOf(call)
  const copy = { source, target, sourceEtag: metadata.etag, properties, condition }
  const copied = deps.objectStore.copyObject(copy, request.signal).then(copyResult)
  await sendWhenDone(call, 'CopyObjectResult', copied)
}

/** UploadPartCopy: a part from an object, or from a range of it. */
export async function uploadPartCopy(call: ObjectsCall): Promise<void> {
  await sendWhenDone(call, 'CopyPartResult', copyPart(call))
}

async function copyPart(call: ObjectsCall): Promise<readonly Xml[]> {
  const { deps, request } = call
  const { source, metadata } = await observeSource(call)
  const part = partAddressOf(call)
  const opened = await deps.objectStore.openObject(source, request.signal)
  try {
    // Replaced since it was judged.
    if (opened.metadata.etag !== metadata.etag) throw sourceCondition('x-amz-copy-source-If-Match')
    const range = parseSourceRange(headerOf(call, 'x-amz-copy-source-range'), metadata.sizeBytes)
    const put = { ...part, body: opened.read(range) }
    return copyResult(await deps.objectStore.putPart(put, request.signal))
  } finally {
    await opened.close()
  }
}

async function observeSource(
  call: ObjectsCall,
): Promise<{ source: ObjectAddress; metadata: ObjectMetadata }> {
  const source = parseCopySource(headerOf(call, 'x-amz-copy-source') ?? '')
  const metadata = await call.deps.objectStore.headObject(source, call.request.signal)
  const verdict = decideConditions(
    {
      ifMatch: headerOf(call, 'x-amz-copy-source-if-match'),
      ifNoneMatch: headerOf(call, 'x-amz-copy-source-if-none-match'),
      ifModifiedSince: headerOf(call, 'x-amz-copy-source-if-modified-since'),
      ifUnmodifiedSince: headerOf(call, 'x-amz-copy-source-if-unmodified-since'),
    },
    metadata,
  )
  if (verdict.kind === 'holds') return { source, metadata }
  // A copy has no 304: whatever does not hold is a failure.
  const condition = verdict.kind === 'failed' ? verdict.condition : 'If-None-Match'
  throw sourceCondition(`x-amz-copy-source-${condition}`)
}

function parseSourceRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  if (header === undefined) return undefined
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(header) ?? []
  const range = { firstByte: Number(first), lastByte: Number(last) }
  if (first === undefined || range.firstByte > range.lastByte) {
    throw new BerthError(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    )
  }
  if (range.lastByte < sizeBytes) return range
  throw new BerthError(
    'InvalidArgument',
    `Range specified is not valid for source object of size: ${sizeBytes}`,
  )
}

function isReplace(call: ObjectsCall, name: string): boolean {
  const directive = headerOf(call, name) ?? 'COPY'
  if (directive === 'COPY' || directive === 'REPLACE') return directive === 'REPLACE'
  throw new BerthError('InvalidArgument', `Unknown ${name}: ${directive.slice(0, 100)}`)
}

function copyResult({
  etag,
  modifiedAtMs,
}: {
  etag: string
  modifiedAtMs: number
}): readonly Xml[] {
  return [
    element('ETag', `"${etag}"`),
    element('LastModified', new Date(modifiedAtMs).toISOString()),
  ]
}

function copyToItself(): BerthError {
  return new BerthError(
    'InvalidRequest',
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  )
}

function sourceCondition(condition: string): BerthError {
  return new BerthError(
    'PreconditionFailed',
    'At least one of the pre-conditions you specified did not hold',
    { members: { Condition: condition } },
  )
}
