import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { createGzip } from 'node:zlib'

import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { pack } from 'tar-stream'

import type { RunningBerth } from './berth.ts'

const ROOT = join(import.meta.dirname, '../..')

/** A `model.tar.gz` with these files at its top. */
export async function packModel(files: Readonly<Record<string, Buffer | string>>): Promise<Buffer> {
  const tar = pack()
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content)
  tar.finalize()
  return await buffer(tar.pipe(createGzip()))
}

/** A model file of `test/fixtures/models`. */
export function fixtureModel(name: string): Buffer {
  return readFileSync(join(ROOT, 'test/fixtures/models', name))
}

/** The model of `examples/digits`. */
export function digitsModel(): Buffer {
  return readFileSync(join(ROOT, 'examples/digits/model/model.onnx'))
}

/** Uploads model data into a bucket `models`. @returns its URL. */
export async function uploadModel(
  { s3 }: RunningBerth,
  key: string,
  archive: Buffer,
): Promise<string> {
  await s3.send(new CreateBucketCommand({ Bucket: 'models' })).catch((error: unknown) => {
    // Of an earlier upload.
    if (!(error instanceof Error) || error.name !== 'BucketAlreadyOwnedByYou') throw error
  })
  await s3.send(new PutObjectCommand({ Bucket: 'models', Key: key, Body: archive }))
  return `s3://models/${key}`
}
