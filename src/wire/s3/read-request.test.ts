import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideConditions, parseEtag } from './conditions.ts'
import { chooseOperation } from './operations.ts'
import { parseS3Address } from './address.ts'
import { parseRange } from './range.ts'

const ranges = [
  { given: undefined, size: 10, expected: 'whole' },
  { given: 'bytes=0-0', size: 10, expected: '0-0' },
  { given: 'bytes=2-', size: 10, expected: '2-9' },
  { given: 'bytes=2-99', size: 10, expected: '2-9' },
  { given: 'bytes=-3', size: 10, expected: '7-9' },
  { given: 'bytes=-99', size: 10, expected: '0-9' },
  { given: 'bytes=-0', size: 10, expected: 'unsatisfiable' },
  { given: 'bytes=10-', size: 10, expected: 'unsatisfiable' },
  { given: 'bytes=0-', size: 0, expected: 'unsatisfiable' },
  { given: 'bytes=5-2', size: 10, expected: 'whole' },
  { given: 'bytes=0-1,3-4', size: 10, expected: 'whole' },
  { given: 'bytes=-', size: 10, expected: 'whole' },
  { given: 'items=0-1', size: 10, expected: 'whole' },
]
for (const { given, size, expected } of ranges) {
  test(`${given} of ${size} bytes is ${expected}`, () => {
    const range = parseRange(given, size)
    assert.equal(
      range.kind === 'part' ? `${range.firstByte}-${range.lastByte}` : range.kind,
      expected,
    )
  })
}

const object = { etag: 'e1', modifiedAtMs: Date.UTC(2024, 0, 1, 0, 0, 0, 500) }
const [before, at] = ['Sun, 31 Dec 2023 00:00:00 GMT', 'Mon, 01 Jan 2024 00:00:00 GMT']
const conditions = [
  { given: {}, expected: 'holds' },
  { given: { ifMatch: '"e1"' }, expected: 'holds' },
  { given: { ifMatch: '*' }, expected: 'holds' },
  { given: { ifMatch: '"e2"' }, expected: 'failed' },
  { given: { ifMatch: '"e1"', ifUnmodifiedSince: before }, expected: 'holds' },
  { given: { ifUnmodifiedSince: before }, expected: 'failed' },
  { given: { ifUnmodifiedSince: at }, expected: 'holds' },
  { given: { ifNoneMatch: '"e1"' }, expected: 'not-modified' },
  { given: { ifNoneMatch: 'W/"e1"' }, expected: 'not-modified' },
  { given: { ifNoneMatch: '"e2", "e1"' }, expected: 'not-modified' },
  { given: { ifNoneMatch: '"e2"', ifModifiedSince: at }, expected: 'holds' },
  { given: { ifModifiedSince: at }, expected: 'not-modified' },
  { given: { ifModifiedSince: before }, expected: 'holds' },
  { given: { ifModifiedSince: 'not a date', ifUnmodifiedSince: 'neither' }, expected: 'holds' },
]
for (const { given, expected } of conditions) {
  test(`${JSON.stringify(given)} ${expected}`, () => {
    assert.equal(decideConditions(given, object).kind, expected)
  })
}

test('an ETag is the same with quotes, without, and weak', () => {
  for (const text of ['"e1"', 'e1', ' W/"e1" ']) assert.equal(parseEtag(text), 'e1')
})

const operations = [
  { given: 'GET /', expected: 'ListBuckets' },
  { given: 'GET /b?list-type=2&prefix=&x-id=ListObjectsV2', expected: 'ListObjectsV2' },
  { given: 'GET /b/?prefix=a&encoding-type=url', expected: 'ListObjects' },
  { given: 'POST /b/?delete=', expected: 'DeleteObjects' },
  {
    given: 'GET /b/k?x-id=GetObject&X-Amz-Signature=s&x-amz-checksum-mode=ENABLED',
    expected: 'GetObject',
  },
  { given: 'GET /b/k?AWSAccessKeyId=i&Signature=s&Expires=1', expected: 'GetObject' },
  { given: 'PUT /b/k', expected: 'PutObject' },
  { given: 'PUT /b/k copy', expected: 'CopyObject' },
  { given: 'PUT /b/k?partNumber=1&uploadId=u&x-id=UploadPart', expected: 'UploadPart' },
  { given: 'PUT /b/k?uploadId=u&partNumber=1 copy', expected: 'UploadPartCopy' },
  { given: 'POST /b/k?uploads', expected: 'CreateMultipartUpload' },
  { given: 'DELETE /b/k?uploadId=u', expected: 'AbortMultipartUpload' },
  { given: 'PUT /b?publicAccessBlock', expected: 'NotImplemented' },
  { given: 'PUT /b/k?acl', expected: 'NotImplemented' },
  { given: 'DELETE /b?policy', expected: 'NotImplemented' },
  { given: 'GET /b/k?partNumber=1', expected: 'NotImplemented' },
  { given: 'PUT /', expected: 'MethodNotAllowed' },
  { given: 'PATCH /b/k', expected: 'MethodNotAllowed' },
]
for (const { given, expected } of operations) {
  test(`${given} is ${expected}`, () => {
    const [method = '', target = '', copy] = given.split(' ')
    const choose = (): string =>
      chooseOperation(method, parseS3Address(target, undefined, []), () => copy !== undefined)
    if (expected === 'NotImplemented' || expected === 'MethodNotAllowed') {
      assert.throws(choose, { name: expected })
    } else assert.equal(choose(), expected)
  })
}
