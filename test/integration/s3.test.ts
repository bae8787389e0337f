import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { Agent, request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListPartsCommand,
  PutBucketAclCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { accountId, credentials, region, startS3Server } from './s3-server.ts'

const MIB = 1024 * 1024
const Bucket = 'models'
const { server, port, objectStore, bugs, settled, stop } = await startS3Server()
const endpoint = `http://127.0.0.1:${port}`
const config: S3ClientConfig = {
  endpoint,
  region,
  credentials,
  forcePathStyle: true,
  maxAttempts: 1,
}
const s3 = new S3Client(config)
await s3.send(new CreateBucketCommand({ Bucket }))

after(async () => {
  s3.destroy()
  const left = await stop()
  assert.deepEqual(bugs, [])
  assert.deepEqual(left, [], 'no write left anything behind')
})

async function bytesOf(Key: string, more = {}): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))
  assert.ok(Body)
  return Buffer.from(await Body.transformToByteArray())
}

function put(
  Key: string,
  Body: string | Buffer,
  more = {},
): Promise<{ ETag?: string | undefined }> {
  return s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
}

async function assertFails(promise: Promise<unknown>, name: string, status: number): Promise<void> {
  await assert.rejects(
    promise,
    (error: { name: string; $metadata?: { httpStatusCode?: number } }) => {
      assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [name, status])
      return true
    },
  )
}

function pieces(bytes: Buffer): Readable {
  return Readable.from(
    Array.from({ length: Math.ceil(bytes.length / 60_000) }, (_, at) =>
      bytes.subarray(at * 60_000, (at + 1) * 60_000),
    ),
  )
}

test('buckets: create again, list, head, location, versioning, delete', async () => {
  await s3.send(new CreateBucketCommand({ Bucket }))
  const Other = 'sagemaker-us-east-1-000000000000'
  await s3.send(new CreateBucketCommand({ Bucket: Other }))
  const { Buckets } = await s3.send(new ListBucketsCommand({}))
  assert.deepEqual(
    Buckets?.map(({ Name }) => Name),
    [Bucket, Other],
  )
  assert.ok(Buckets?.[0]?.CreationDate instanceof Date)
  const head = await s3.send(
    new HeadBucketCommand({ Bucket: Other, ExpectedBucketOwner: accountId }),
  )
  assert.equal(head.BucketRegion, region)
  assert.equal(
    (await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint,
    undefined,
  )
  assert.equal((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status, undefined)
  await s3.send(new DeleteBucketCommand({ Bucket: Other }))
  await assertFails(s3.send(new HeadBucketCommand({ Bucket: Other })), 'NotFound', 404)
})

test('what is not offered says so', async () => {
  await assertFails(
    s3.send(new PutBucketAclCommand({ Bucket, ACL: 'private' })),
    'NotImplemented',
    501,
  )
  await assertFails(put('k', 'x', { ServerSideEncryption: 'aws:kms' }), 'NotImplemented', 501)
  await assertFails(put('k', 'x', { ACL: 'public-read' }), 'AccessControlListNotSupported', 400)
  await assertFails(put('k', 'x', { StorageClass: 'GLACIER' }), 'NotImplemented', 501)
  await assertFails(put('k', 'x', { ExpectedBucketOwner: '111111111111' }), 'AccessDenied', 403)
  await assertFails(bytesOf('k'), 'NoSuchKey', 404)
})

test('an object goes in and comes out with what was said about it', async () => {
  const said = {
    ContentType: 'text/csv',
    ContentEncoding: 'gzip',
    CacheControl: 'max-age=1',
    ContentDisposition: 'attachment',
    ContentLanguage: 'de',
    Metadata: { origin: 'test', upper: 'Case Kept' },
  }
  const { ETag } = await put('said', '1,2', { ...said, Tagging: 'team=ml&stage=prod' })
  assert.equal(ETag, `"${createHash('md5').update('1,2').digest('hex')}"`)
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'said' }))
  for (const [name, value] of Object.entries(said)) assert.deepEqual(head[name as 'ETag'], value)
  assert.equal(head.ContentLength, 3)
  assert.equal(head.AcceptRanges, 'bytes')
  assert.ok(head.LastModified instanceof Date)
  const override = await s3.send(
    new GetObjectCommand({
      Bucket,
      Key: 'said',
      ResponseContentType: 'a/b',
      ResponseCacheControl: 'no-store',
    }),
  )
  assert.deepEqual(
    [override.ContentType, override.CacheControl, override.TagCount],
    ['a/b', 'no-store', 2],
  )
  await override.Body?.transformToString()
})

test('tags are read, replaced and removed with limits', async () => {
  await put('tagged', 'x', { Tagging: 'a=1' })
  const tagsOf = async (): Promise<unknown> =>
    (await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'tagged' }))).TagSet
  assert.deepEqual(await tagsOf(), [{ Key: 'a', Value: '1' }])
  const TagSet = [{ Key: 'b & c', Value: '<2>' }]
  await s3.send(new PutObjectTaggingCommand({ Bucket, Key: 'tagged', Tagging: { TagSet } }))
  assert.deepEqual(await tagsOf(), TagSet)
  const eleven = Array.from({ length: 11 }, (_, at) => ({ Key: `k${at}`, Value: '' }))
  const tooMany = new PutObjectTaggingCommand({
    Bucket,
    Key: 'tagged',
    Tagging: { TagSet: eleven },
  })
  await assertFails(s3.send(tooMany), 'InvalidTag', 400)
})

test('20 MB as a stream: parts in aws-chunked with trailers', async () => {
  const bytes = randomBytes(20 * MIB + 12_345)
  const upload = new Upload({
    client: s3,
    params: { Bucket, Key: 'big', Body: pieces(bytes), ContentType: 'x/y' },
  })
  const { ETag } = await upload.done()
  assert.match(ETag ?? '', /^"[0-9a-f]{32}-5"$/)
  assert.ok((await bytesOf('big')).equals(bytes))
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'big' }))
  assert.deepEqual([head.ContentLength, head.ContentType], [bytes.length, 'x/y'])
})

test('one stream in aws-chunked is stored decoded, whatever its checksum', async () => {
  const bytes = randomBytes(700_000)
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const) {
    const command = {
      Bucket,
      Key: 'chunked',
      Body: pieces(bytes),
      ContentLength: bytes.length,
      ChecksumAlgorithm,
    }
    await s3.send(new PutObjectCommand(command))
    assert.ok((await bytesOf('chunked')).equals(bytes), ChecksumAlgorithm)
    const { ContentEncoding } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'chunked' }))
    assert.equal(ContentEncoding, undefined)
  }
})

test('a wrong checksum or MD5 stores nothing', async () => {
  await assertFails(put('wrong', 'x', { ChecksumCRC32: 'AAAAAA==' }), 'BadDigest', 400)
  const ContentMD5 = createHash('md5').update('other').digest('base64')
  await assertFails(put('wrong', 'x', { ContentMD5 }), 'BadDigest', 400)
  await assertFails(put('wrong', 'x', { ContentMD5: 'nonsense' }), 'InvalidDigest', 400)
  await assertFails(bytesOf('wrong'), 'NoSuchKey', 404)
})

test('ranges: first, open, suffix, beyond, and with a stale ETag', async () => {
  const { ETag } = await put('range', '0123456789')
  const read = async (Range: string): Promise<string> =>
    (await bytesOf('range', { Range })).toString()
  assert.equal(await read('bytes=0-3'), '0123')
  assert.equal(await read('bytes=8-'), '89')
  assert.equal(await read('bytes=-2'), '89')
  assert.equal(await read('bytes=5-500'), '56789')
  const part = await s3.send(
    new GetObjectCommand({ Bucket, Key: 'range', Range: 'bytes=2-4', IfMatch: ETag }),
  )
  assert.deepEqual(
    [part.ContentRange, part.ContentLength, part.$metadata.httpStatusCode],
    ['bytes 2-4/10', 3, 206],
  )
  await part.Body?.transformToString()
  await assertFails(read('bytes=10-'), 'InvalidRange', 416)
  await assertFails(bytesOf('range', { IfMatch: '"0"' }), 'PreconditionFailed', 412)
  await assertFails(bytesOf('range', { IfNoneMatch: ETag }), 'Unknown', 304)
  await assertFails(
    bytesOf('range', { IfModifiedSince: new Date(Date.now() + 1000) }),
    'Unknown',
    304,
  )
})

test('writes can be conditional', async () => {
  const { ETag } = await put('once', '1', { IfNoneMatch: '*' })
  await assertFails(put('once', '2', { IfNoneMatch: '*' }), 'PreconditionFailed', 412)
  await put('once', '3', { IfMatch: ETag })
  await assertFails(put('once', '4', { IfMatch: ETag }), 'PreconditionFailed', 412)
  assert.equal((await bytesOf('once')).toString(), '3')
})

test('listing: pages, prefixes, odd keys, both versions', async () => {
  const keys = ['p/a b+é.txt', 'p/a&<b>"', 'p/x/1', 'p/x/2', 'p/y/1', 'p/zz', 'p/🚢', 'p/..', 'p//']
  for (const key of keys) await put(key, key)
  for (const EncodingType of ['url', undefined] as const) {
    const listed: (string | undefined)[] = []
    const pages = paginateListObjectsV2(
      { client: s3, pageSize: 2 },
      { Bucket, Prefix: 'p/', ...(EncodingType && { EncodingType }) },
    )
    for await (const page of pages) {
      assert.equal(page.KeyCount, page.Contents?.length)
      listed.push(...(page.Contents ?? []).map(({ Key }) => Key))
    }
    const decoded = listed.map((key) => (EncodingType ? decodeURIComponent(key ?? '') : key))
    const expected = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    assert.deepEqual(decoded, expected)
  }
  const first = await s3.send(
    new ListObjectsCommand({ Bucket, Prefix: 'p/', Delimiter: '/', MaxKeys: 6 }),
  )
  assert.equal(first.IsTruncated, true)
  const rest = await s3.send(
    new ListObjectsCommand({ Bucket, Prefix: 'p/', Delimiter: '/', Marker: first.NextMarker }),
  )
  const prefixes = [first, rest].flatMap(({ CommonPrefixes = [] }) =>
    CommonPrefixes.map(({ Prefix }) => Prefix),
  )
  assert.deepEqual(prefixes, ['p//', 'p/x/', 'p/y/'])
  for (const key of keys) assert.equal((await bytesOf(key)).toString(), key)
})

test('copy: within, with new metadata, in parts, from what is missing', async () => {
  await put('source é+', 'bytes', { ContentType: 'a/b', Tagging: 't=1' })
  const CopySource = `${Bucket}/${encodeURIComponent('source é+')}`
  const copied = await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }))
  assert.ok(copied.CopyObjectResult?.LastModified instanceof Date)
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))
  assert.deepEqual([head.ContentType, head.TagCount], ['a/b', 1])
  const replace = {
    MetadataDirective: 'REPLACE',
    ContentType: 'c/d',
    Metadata: { n: '1' },
  } as const
  await s3.send(
    new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `/${Bucket}/copy`, ...replace }),
  )
  assert.equal((await s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))).ContentType, 'c/d')
  const itself = new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/copy` })
  await assertFails(s3.send(itself), 'InvalidRequest', 400)
  const missing = new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/none` })
  await assertFails(s3.send(missing), 'NoSuchKey', 404)

  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))
  const part = { Bucket, Key: 'parts', UploadId, PartNumber: 1 }
  const range = new UploadPartCopyCommand({ ...part, CopySource, CopySourceRange: 'bytes=1-3' })
  const ETag = (await s3.send(range)).CopyPartResult?.ETag
  const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] }
  await s3.send(new CompleteMultipartUploadCommand({ ...part, MultipartUpload }))
  assert.equal((await bytesOf('parts')).toString(), 'yte')
})

test('multipart: list, wrong part, checksums of parts, repeat, abort', async () => {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key: 'm', ChecksumAlgorithm: 'CRC32' }),
  )
  const upload = { Bucket, Key: 'm', UploadId }
  const part = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 2, Body: 'two' }))
  assert.ok(part.ChecksumCRC32)
  const { Parts } = await s3.send(new ListPartsCommand(upload))
  assert.deepEqual(
    Parts?.map(({ PartNumber, Size }) => [PartNumber, Size]),
    [[2, 3]],
  )
  const complete = (more: object): Promise<unknown> =>
    s3.send(
      new CompleteMultipartUploadCommand({
        ...upload,
        MultipartUpload: { Parts: [{ ETag: part.ETag, PartNumber: 2, ...more }] },
      }),
    )
  await assertFails(complete({ ETag: '"0"' }), 'InvalidPart', 400)
  await assertFails(complete({ ChecksumCRC32: 'AAAAAA==' }), 'InvalidPart', 400)
  await complete({ ChecksumCRC32: part.ChecksumCRC32 })
  await complete({ ChecksumCRC32: part.ChecksumCRC32 })
  await assertFails(s3.send(new AbortMultipartUploadCommand(upload)), 'NoSuchUpload', 404)
})

test('deleting: one, many with odd keys, quietly', async () => {
  const keys = ['d/1', 'd/&<>\'"', 'd/ blank ', 'd/\r\n']
  for (const key of keys) await put(key, 'x')
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'd/1' }))
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'd/1' }))
  const Objects = keys.map((Key) => ({ Key }))
  const { Deleted, Errors } = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects } }),
  )
  assert.equal(Deleted?.length, 4)
  assert.equal(Errors, undefined)
  assert.deepEqual(
    (
      await objectStore.listObjects(
        { bucketName: Bucket, prefix: 'd/', entriesMax: 9 },
        AbortSignal.timeout(60_000),
      )
    ).objects,
    [],
  )
  await assertFails(s3.send(new DeleteBucketCommand({ Bucket })), 'BucketNotEmpty', 409)
})

test('presigned URLs need no credentials: GET, PUT with a query checksum, tampered', async () => {
  await put('shared', 'for everyone')
  const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'shared' }))
  assert.equal(await (await fetch(get)).text(), 'for everyone')
  const upload = await getSignedUrl(
    s3,
    new PutObjectCommand({ Bucket, Key: 'given', Metadata: { from: 'url' } }),
  )
  assert.match(upload, /x-amz-checksum-crc32=/)
  assert.equal((await fetch(upload, { method: 'PUT', body: 'not empty' })).status, 200)
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'given' }))
  assert.deepEqual([head.ContentLength, head.Metadata], [9, { from: 'url' }])
  const refused = await fetch(get.replace('/shared', '/given'))
  assert.equal(refused.status, 403)
  assert.match(await refused.text(), /<Code>SignatureDoesNotMatch<\/Code>/)
})

test('virtual-host style', async () => {
  const lookup = ((_host: string, _options: unknown, done: (...result: unknown[]) => void) =>
    done(null, [{ address: '127.0.0.1', family: 4 }])) as never
  const agent = new Agent({ lookup })
  const client = new S3Client({
    ...config,
    endpoint: `http://localhost:${port}`,
    forcePathStyle: false,
    requestHandler: { httpAgent: agent },
  })
  await client.send(new PutObjectCommand({ Bucket, Key: 'virtual/host', Body: 'x' }))
  assert.equal((await bytesOf('virtual/host')).toString(), 'x')
  client.destroy()
  agent.destroy()
})

test('an upload that is cut off leaves nothing', async () => {
  const url = new URL(await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: 'cut' })))
  const options = { method: 'PUT', headers: { 'Content-Length': 10 * MIB } }
  const cut = httpRequest(url, options)
  const ended = new Promise((resolve) => cut.on('error', resolve))
  const arrived = new Promise<void>((resolve) => server.once('request', () => resolve()))
  cut.write(Buffer.alloc(2 * MIB))
  await arrived
  cut.destroy(new Error('cut'))
  await ended
  await settled()
  await assertFails(bytesOf('cut'), 'NoSuchKey', 404)
})

test('a body that is not the signed one is refused', async () => {
  const tampered = new S3Client(config)
  tampered.middlewareStack.add(
    (next) => async (args) => {
      const sent = args.request as { body?: unknown }
      sent.body = Buffer.from('y')
      return next(args)
    },
    { step: 'finalizeRequest', priority: 'low', name: 'tamper' },
  )
  const command = new PutObjectCommand({ Bucket, Key: 'tampered', Body: 'x' })
  await assert.rejects(tampered.send(command), (error: Error) => {
    assert.match(error.name, /^(XAmzContentSHA256Mismatch|BadDigest)$/)
    return true
  })
  await assertFails(bytesOf('tampered'), 'NoSuchKey', 404)
  tampered.destroy()
})

test('XML that is not what it should be is refused', async () => {
  const url = await getSignedUrl(
    s3,
    new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId: 'u' }),
  )
  for (const body of [
    '',
    '<a>',
    '<Other/>',
    '<CompleteMultipartUpload/>',
    '<!DOCTYPE a [<!ENTITY e "x">]><CompleteMultipartUpload>&e;</CompleteMultipartUpload>',
  ]) {
    const reply = await fetch(url, { method: 'POST', body })
    assert.equal(reply.status, 400, body)
    assert.match(await reply.text(), /<Code>MalformedXML<\/Code>/)
  }
})
