import { BerthError, isBerthError } from '../../domain/errors.ts'
import { childText, element, encodeDocument, malformedXml, parseXml } from '../../wire/s3/xml.ts'
import type { Xml, XmlElement } from '../../wire/s3/xml.ts'
import { addressOf, headerOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'
import { sendDocument, sendEmpty } from './reply.ts'
import { LARGE_XML_BYTES_MAX, readText } from './request-body.ts'

const OBJECTS_MAX = 1000

/** DeleteObject: 204, whether it was there or not. */
export async function deleteObject(call: ObjectsCall): Promise<void> {
  if (headerOf(call, 'if-match') !== undefined) {
    throw new BerthError('NotImplemented', 'Berth does not offer conditional deletes.')
  }
  await call.deps.objectStore.deleteObject(addressOf(call), call.request.signal)
  sendEmpty(call, 204)
}

/** DeleteObjects: up to 1000 keys, each with its own outcome. */
export async function deleteObjects(call: ObjectsCall): Promise<void> {
  const root = parseXml(await readText(call, LARGE_XML_BYTES_MAX), 'Delete')
  const objects = root.children.get('Object') ?? []
  if (objects.length === 0 || objects.length > OBJECTS_MAX) throw malformedXml()
  const isQuiet = childText(root, 'Quiet')?.trim() === 'true'
  // A bucket that is missing is one failure, not a thousand.
  const { bucketName } = call
  const bucket = await call.deps.objectStore.findBucket(bucketName, call.request.signal)
  if (bucket === undefined) {
    throw new BerthError('NoSuchBucket', 'The specified bucket does not exist', {
      members: { BucketName: bucketName },
    })
  }
  const outcomes: (Xml | undefined)[] = []
  for (const object of objects) outcomes.push(await deleteOne(call, object, isQuiet))
  sendDocument(call, encodeDocument('DeleteResult', outcomes))
}

async function deleteOne(
  call: ObjectsCall,
  object: XmlElement,
  isQuiet: boolean,
): Promise<Xml | undefined> {
  const key = childText(object, 'Key')
  if (key === undefined || key === '') throw malformedXml()
  try {
    assertUnconditional(object)
    const { bucketName, deps, request } = call
    await deps.objectStore.deleteObject({ bucketName, key }, request.signal)
    return isQuiet ? undefined : element('Deleted', [element('Key', key)])
  } catch (error) {
    if (!isBerthError(error)) throw error
    const { code, message } = error
    return element('Error', [
      element('Key', key),
      element('Code', code),
      element('Message', message),
    ])
  }
}

function assertUnconditional(object: XmlElement): void {
  const version = childText(object, 'VersionId') ?? 'null'
  const isConditional = ['ETag', 'LastModifiedTime', 'Size'].some((name) =>
    object.children.has(name),
  )
  if (version === 'null' && !isConditional) return
  throw new BerthError('NotImplemented', 'Berth offers neither versions nor conditional deletes.')
}
