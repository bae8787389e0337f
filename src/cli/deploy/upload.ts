import {
  CreateBucketCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
} from '@aws-sdk/client-s3'
import type { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { formatBytes } from '../../platform/format-bytes.ts'
import { isNotFound } from '../failure.ts'
import type { Progress } from '../terminal/progress.ts'
import type { Artifact } from './artifact.ts'
import { hashArtifact, packArtifact } from './pack.ts'

/** Where the archives of `berth deploy` lie. */
export const UPLOAD_PREFIX = 'berth-deploy/'

/** An archive in the object store. */
export interface UploadedArtifact {
  readonly bucket: string
  readonly key: string
  readonly contentHash: string
}

/** Packs and uploads an artifact, unless the same contents are there already. */
export async function uploadArtifact(
  artifact: Artifact,
  at: { readonly s3: S3Client; readonly bucket: string; readonly endpointName: string },
  progress: Progress,
): Promise<UploadedArtifact> {
  const { s3, bucket } = at
  progress.update('Reading the model')
  const contentHash = await hashArtifact(artifact)
  const key = `${UPLOAD_PREFIX}${at.endpointName}/${contentHash}/model.tar.gz`
  await createBucket(s3, bucket)
  const target = { Bucket: bucket, Key: key }
  if (await exists(() => s3.send(new HeadObjectCommand(target))))
    return { bucket, key, contentHash }
  const upload = new Upload({ client: s3, params: { ...target, Body: packArtifact(artifact) } })
  upload.on('httpUploadProgress', ({ loaded }) => {
    progress.update(`Uploading, ${formatBytes(loaded ?? 0)} so far`)
  })
  await upload.done()
  return { bucket, key, contentHash }
}

/** Removes an uploaded archive; one that is gone already is no failure. */
export async function deleteUploaded(s3: S3Client, url: string): Promise<void> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? []
  if (bucket === undefined || key === undefined || !key.startsWith(UPLOAD_PREFIX)) return
  await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
}

async function createBucket(s3: S3Client, bucket: string): Promise<void> {
  if (await exists(() => s3.send(new HeadBucketCommand({ Bucket: bucket })))) return
  await s3.send(new CreateBucketCommand({ Bucket: bucket }))
}

async function exists(look: () => Promise<unknown>): Promise<boolean> {
  try {
    await look()
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}
