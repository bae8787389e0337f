import { BerthError } from '../../domain/errors.ts'
import type { UploadAddress } from '../../ports/object-store.ts'
import { parseEtag } from '../../wire/s3/conditions.ts'
import { parseCount } from '../../wire/s3/listing.ts'
import { childText, element, encodeDocument, malformedXml, parseXml } from '../../wire/s3/xml.ts'
import type { Xml, XmlElement } from '../../wire/s3/xml.ts'
import { addressOf, headerOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'
import { propertiesOf, writeConditionOf } from './put-object.ts'
import { sendDocument, sendEmpty, sendWhenDone } from './reply.ts'
import { checksumHeaders, LARGE_XML_BYTES_MAX, openBody, readText } from './request-body.ts'
import { assertPartChecksums, verifyWhole } from './upload-checksums.ts'
import type { NamedPart } from './upload-checksums.ts'

const PARTS_MAX = 1000

/** CreateMultipartUpload. */
export async function createMultipartUpload(call: ObjectsCall): Promise<void> {
  const { bucketName, key, deps, request } = call
  const uploadId = await deps.objectStore.createUpload(
    addressOf(call),
    propertiesOf(call),
    request.signal,
  )
  const document = encodeDocument('InitiateMultipartUploadResult', [
    element('Bucket', bucketName),
    element('Key', key),
    element('UploadId', uploadId),
  ])
  const algorithm = headerOf(call, 'x-amz-checksum-algorithm')
  const type = headerOf(call, 'x-amz-checksum-type')
  sendDocument(call, document, {
    ...(algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm }),
    ...(type === undefined ? {} : { 'x-amz-checksum-type': type }),
  })
}

/** UploadPart. */
export async function uploadPart(call: ObjectsCall): Promise<void> {
  const { body, checksums } = openBody(call)
  const put = { ...partAddressOf(call), body, checksums }
  const { etag } = await call.deps.objectStore.putPart(put, call.request.signal)
  sendEmpty(call, 200, { ETag: `"${etag}"`, ...checksumHeaders(checksums()) })
}

/** CompleteMultipartUpload. */
export async function completeMultipartUpload(call: ObjectsCall): Promise<void> {
  const root = parseXml(await readText(call, LARGE_XML_BYTES_MAX), 'CompleteMultipartUpload')
  const parts = (root.children.get('Part') ?? []).map(parsePart)
  if (parts.length === 0) throw malformedXml()
  await sendWhenDone(call, 'CompleteMultipartUploadResult', complete(call, parts))
}

/** AbortMultipartUpload. */
export async function abortMultipartUpload(call: ObjectsCall): Promise<void> {
  await call.deps.objectStore.abortUpload(uploadAddressOf(call), call.request.signal)
  sendEmpty(call, 204)
}

/** ListParts. */
export async function listParts(call: ObjectsCall): Promise<void> {
  const { bucketName, key, query, deps, request } = call
  const upload = uploadAddressOf(call)
  const marker = parseCount(query.get('part-number-marker'), 'part-number-marker') ?? 0
  const countMax = Math.min(parseCount(query.get('max-parts'), 'max-parts') ?? PARTS_MAX, PARTS_MAX)
  const parts = await deps.objectStore.listParts(upload, request.signal)
  const following = parts.filter(({ partNumber }) => partNumber > marker)
  const page = following.slice(0, countMax)
  const owner = [element('ID', deps.accountId), element('DisplayName', deps.accountId)]
  const document = encodeDocument('ListPartsResult', [
    element('Bucket', bucketName),
    element('Key', key),
    element('UploadId', upload.uploadId),
    element('Initiator', owner),
    element('Owner', owner),
    element('StorageClass', 'STANDARD'),
    element('PartNumberMarker', marker),
    element('NextPartNumberMarker', page.at(-1)?.partNumber ?? 0),
    element('MaxParts', countMax),
    element('IsTruncated', following.length > page.length),
    ...page.map(({ partNumber, modifiedAtMs, etag, sizeBytes }) =>
      element('Part', [
        element('PartNumber', partNumber),
        element('LastModified', new Date(modifiedAtMs).toISOString()),
        element('ETag', `"${etag}"`),
        element('Size', sizeBytes),
      ]),
    ),
  ])
  sendDocument(call, document)
}

/** The part that a call names. @throws BerthError `InvalidArgument` */
export function partAddressOf(call: ObjectsCall): UploadAddress & { readonly partNumber: number } {
  const text = call.query.get('partNumber') ?? ''
  if (/^\d{1,5}$/.test(text)) return { ...uploadAddressOf(call), partNumber: Number(text) }
  throw new BerthError(
    'InvalidArgument',
    'Part number must be an integer between 1 and 10000, inclusive',
    { members: { ArgumentName: 'partNumber', ArgumentValue: text.slice(0, 100) } },
  )
}

function uploadAddressOf(call: ObjectsCall): UploadAddress {
  return { ...addressOf(call), uploadId: call.query.get('uploadId') ?? '' }
}

function parsePart(part: XmlElement): NamedPart {
  const number = childText(part, 'PartNumber')?.trim() ?? ''
  const etag = childText(part, 'ETag')
  if (!/^\d{1,5}$/.test(number) || etag === undefined) throw malformedXml()
  const checksums: Record<string, string> = {}
  for (const [name, [child]] of part.children) {
    if (!name.startsWith('Checksum') || child === undefined) continue
    checksums[name.slice('Checksum'.length).toLowerCase()] = child.text.trim()
  }
  return { partNumber: Number(number), etag: parseEtag(etag), checksums }
}

async function complete(call: ObjectsCall, parts: readonly NamedPart[]): Promise<readonly Xml[]> {
  const { bucketName, key, deps, request } = call
  const upload = uploadAddressOf(call)
  await assertPartChecksums(call, upload, parts)
  const completion = {
    ...upload,
    parts,
    condition: writeConditionOf(call),
    verify: verifyWhole(call),
  }
  const { etag } = await deps.objectStore.completeUpload(completion, request.signal)
  return [
    element('Location', `/${bucketName}/${key}`),
    element('Bucket', bucketName),
    element('Key', key),
    element('ETag', `"${etag}"`),
  ]
}
