import { encodeListing, parseListing } from '../../wire/s3/listing.ts'
import type { ObjectsCall } from './objects-call.ts'
import { sendDocument } from './reply.ts'

/** ListObjects. boto3's resource collections still use it. */
export function listObjects(call: ObjectsCall): Promise<void> {
  return list(call, 1)
}

/** ListObjectsV2. */
export function listObjectsV2(call: ObjectsCall): Promise<void> {
  return list(call, 2)
}

async function list(call: ObjectsCall, version: 1 | 2): Promise<void> {
  const { bucketName, deps, request } = call
  const listing = parseListing(call.query, version)
  const { prefix, delimiter, startAfter, keysMax } = listing
  const query = { bucketName, prefix, delimiter, startAfter, entriesMax: keysMax }
  const page = await deps.objectStore.listObjects(query, request.signal)
  sendDocument(call, encodeListing(listing, page, { bucketName, ownerId: deps.accountId }))
}
