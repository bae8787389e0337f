import type { ServerResponse } from 'node:http'
import { findHeader } from '../../wire/headers.ts'
import { parseS3Address } from '../../wire/s3/address.ts'
import { chooseOperation } from '../../wire/s3/operations.ts'
import type { S3Operation } from '../../wire/s3/operations.ts'
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  getBucketVersioning,
  headBucket,
  listBuckets,
} from './buckets.ts'
import { copyObject, uploadPartCopy } from './copy-object.ts'
import { deleteObject, deleteObjects } from './delete-objects.ts'
import { getObject } from './get-object.ts'
import { listObjects, listObjectsV2 } from './list-objects.ts'
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './object-tagging.ts'
import { assertOffered, headerOf } from './objects-call.ts'
import type { ObjectsCall, ObjectsDeps, S3Request } from './objects-call.ts'
import { putObject } from './put-object.ts'
import { sendError } from './reply.ts'
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
  listParts,
  uploadPart,
} from './uploads.ts'

const RUN_BY_OPERATION: Readonly<Record<S3Operation, (call: ObjectsCall) => Promise<void>>> = {
  ListBuckets: listBuckets,
  CreateBucket: createBucket,
  HeadBucket: headBucket,
  DeleteBucket: deleteBucket,
  GetBucketLocation: getBucketLocation,
  GetBucketVersioning: getBucketVersioning,
  ListObjects: listObjects,
  ListObjectsV2: listObjectsV2,
  DeleteObjects: deleteObjects,
  GetObject: getObject,
  HeadObject: getObject,
  PutObject: putObject,
  CopyObject: copyObject,
  DeleteObject: deleteObject,
  GetObjectTagging: getObjectTagging,
  PutObjectTagging: putObjectTagging,
  DeleteObjectTagging: deleteObjectTagging,
  CreateMultipartUpload: createMultipartUpload,
  UploadPart: uploadPart,
  UploadPartCopy: uploadPartCopy,
  CompleteMultipartUpload: completeMultipartUpload,
  AbortMultipartUpload: abortMultipartUpload,
  ListParts: listParts,
}

/**
 * Answers one request to the S3 face, whatever happens; resolves when the reply is handed over.
 *
 * The signature is verified before; that the body is the signed one is verified here, as it streams.
 */
export async function routeObjects(
  request: S3Request,
  response: ServerResponse,
  deps: ObjectsDeps,
): Promise<void> {
  let call: ObjectsCall = { request, response, deps, query: new Map(), bucketName: '', key: '' }
  try {
    const host = findHeader(request.rawHeaders, 'host')
    const address = parseS3Address(request.rawTarget, host, deps.hostSuffixes)
    const { bucketName = '', key = '', query } = address
    call = { ...call, query, bucketName, key }
    const named = call
    const operation = chooseOperation(
      request.method,
      address,
      (name) => headerOf(named, name) !== undefined,
    )
    assertOffered(call)
    await RUN_BY_OPERATION[operation](call)
  } catch (error) {
    await sendError(call, error)
  }
}
