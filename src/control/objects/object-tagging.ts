import { encodeTagging, parseTagging } from '../../wire/s3/tags.ts'
import { encodeDocument, parseXml } from '../../wire/s3/xml.ts'
import { addressOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'
import { sendDocument, sendEmpty } from './reply.ts'
import { readText, SMALL_XML_BYTES_MAX } from './request-body.ts'

/** GetObjectTagging. */
export async function getObjectTagging(call: ObjectsCall): Promise<void> {
  const { objectStore } = call.deps
  const { properties } = await objectStore.headObject(addressOf(call), call.request.signal)
  sendDocument(call, encodeDocument('Tagging', [encodeTagging(properties.tags ?? {})]))
}

/** PutObjectTagging. */
export async function putObjectTagging(call: ObjectsCall): Promise<void> {
  const tags = parseTagging(parseXml(await readText(call, SMALL_XML_BYTES_MAX), 'Tagging'))
  await call.deps.objectStore.saveTags(addressOf(call), tags, call.request.signal)
  sendEmpty(call, 200)
}

/** DeleteObjectTagging. */
export async function deleteObjectTagging(call: ObjectsCall): Promise<void> {
  await call.deps.objectStore.saveTags(addressOf(call), {}, call.request.signal)
  sendEmpty(call, 204)
}
