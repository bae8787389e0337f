import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { credentials, region, startS3Server } from './s3-server.ts'
import type { S3Server } from './s3-server.ts'

const Bucket = 'models'
const s3Server = await startS3Server()
const s3 = clientOf(s3Server)
await s3.send(new CreateBucketCommand({ Bucket }))
after(async () => {
  s3.destroy()
  assert.deepEqual(await s3Server.stop(), [])
  assert.deepEqual(s3Server.bugs, [])
})

function clientOf({ port }: S3Server): S3Client {
  const endpoint = `http://127.0.0.1:${port}`
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 })
}

interface Case {
  readonly given: string
  readonly send: () => Promise<unknown>
  readonly code: string
}

const key = { Bucket, Key: 'k' }
const cases: Case[] = [
  {
    given: 'a bucket name with capitals',
    send: () => s3.send(new CreateBucketCommand({ Bucket: 'Models' })),
    code: 'InvalidBucketName',
  },
  {
    given: 'another region for a bucket',
    send: () =>
      s3.send(
        new CreateBucketCommand({
          Bucket: 'else',
          CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' },
        }),
      ),
    code: 'IllegalLocationConstraintException',
  },
  {
    given: 'a missing bucket',
    send: () => s3.send(new ListObjectsV2Command({ Bucket: 'missing' })),
    code: 'NoSuchBucket',
  },
  {
    given: 'a key of 1025 bytes',
    send: () => s3.send(new PutObjectCommand({ ...key, Key: 'k'.repeat(1025), Body: '' })),
    code: 'KeyTooLongError',
  },
  {
    given: 'too much metadata',
    send: () => s3.send(new PutObjectCommand({ ...key, Metadata: { a: 'x'.repeat(2048) } })),
    code: 'MetadataTooLarge',
  },
  {
    given: 'a continuation token of someone else',
    send: () => s3.send(new ListObjectsV2Command({ Bucket, ContinuationToken: '!' })),
    code: 'InvalidArgument',
  },
  {
    given: 'a version of an object',
    send: () => s3.send(new GetObjectCommand({ ...key, VersionId: 'v1' })),
    code: 'NotImplemented',
  },
  {
    given: 'parts that do not ascend',
    send: async () => {
      const upload = { bucketName: Bucket, key: 'k' }
      const { objectStore } = s3Server
      const signal = AbortSignal.timeout(60_000)
      const UploadId = await objectStore.createUpload(upload, {}, signal)
      const body = (async function* one() {
        yield Buffer.from('x')
      })()
      const put = { ...upload, uploadId: UploadId, partNumber: 1, body }
      const { etag: ETag } = await objectStore.putPart(put, signal)
      const Parts = [1, 1].map((PartNumber) => ({ PartNumber, ETag }))
      const MultipartUpload = { Parts }
      await s3.send(new CompleteMultipartUploadCommand({ ...key, UploadId, MultipartUpload }))
    },
    code: 'InvalidPartOrder',
  },
]
for (const { given, send, code } of cases) {
  test(`${given} → ${code}`, () => assert.rejects(send(), { name: code }))
}

interface RawCase {
  readonly given: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly path?: (path: string) => string
  readonly body?: Buffer
  readonly status: number
  readonly says: RegExp
}

const rawCases: RawCase[] = [
  {
    given: 'a method S3 does not have there',
    method: 'POST',
    status: 403,
    says: /SignatureDoesNotMatch/,
  },
  {
    given: 'no length',
    headers: { 'transfer-encoding': 'chunked' },
    status: 411,
    says: /<Code>MissingContentLength<\/Code>/,
  },
  {
    given: 'more than 5 GiB announced',
    headers: { 'content-length': String(5 * 1024 ** 3 + 1) },
    body: Buffer.alloc(1000),
    status: 400,
    says: /<Code>EntityTooLarge<\/Code>/,
  },
  {
    given: 'a checksum that is none',
    headers: { 'x-amz-checksum-crc32': 'nonsense' },
    status: 403,
    says: /<Code>AccessDenied<\/Code>/,
  },
]
for (const { given, status, says, ...raw } of rawCases) {
  test(`${given} → ${status}`, async () => {
    const url = await getSignedUrl(s3, new PutObjectCommand(key))
    const reply = await send(url, raw)
    assert.equal(reply.status, status, reply.text)
    assert.match(reply.text, says)
    assert.doesNotMatch(reply.text, /node_modules|at .*\.ts/)
  })
}

test('HEAD fails without a body', async () => {
  const url = await getSignedUrl(s3, new HeadObjectCommand({ Bucket, Key: 'none' }))
  const reply = await fetch(url, { method: 'HEAD' })
  assert.deepEqual([reply.status, await reply.text()], [404, ''])
})

test('an unsigned request is refused', async () => {
  const reply = await fetch(`http://127.0.0.1:${s3Server.port}/${Bucket}/k`)
  assert.equal(reply.status, 403)
  assert.match(await reply.text(), /<Code>AccessDenied<\/Code>/)
})

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const skip = isRoot ? false : 'mounting a tiny disk takes root on Linux'
test('a full disk is told to the client that is still sending', { skip }, async () => {
  const disk = await mkdtemp(join(tmpdir(), 'berth-s3-full-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
  const full = await startS3Server(disk)
  const client = clientOf(full)
  try {
    await client.send(new CreateBucketCommand({ Bucket }))
    const Body = Buffer.alloc(30 * 1024 ** 2, 1)
    await assert.rejects(client.send(new PutObjectCommand({ ...key, Body })), {
      name: 'InsufficientStorage',
    })
    await client.send(new PutObjectCommand({ ...key, Body: 'fits' }))
  } finally {
    client.destroy()
    assert.deepEqual(await full.stop(), [])
    execFileSync('umount', [disk])
    await rm(disk, { recursive: true, force: true })
  }
})

function send(
  url: string,
  { method = 'PUT', headers = {}, body = Buffer.alloc(0) }: Partial<RawCase>,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text })
        request.destroy()
      })
    })
    request.on('error', reject)
    request.write(body)
    if (headers['content-length'] === undefined) request.end()
  })
}
