import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import type { SecretLookup, SignedRequest } from './auth-types.ts'
import { SigningKeyCache } from './sigv4-keys.ts'
import { verifyRequest } from './sigv4.ts'

// Made by botocore 1.43.11: HmacV1QueryAuth, secret wJalr…, id AKIDEXAMPLE, Expires 1704168245.
const VECTORS = [
  [
    'a download',
    'GET',
    '/bucket/a%20b.csv?AWSAccessKeyId=AKIDEXAMPLE&Signature=%2BHXqoT2QpApSvOuRzZcLzktST%2BY%3D&Expires=1704168245',
  ],
  [
    'an upload with a content type',
    'PUT',
    '/bucket/p/%C3%A9%2B.bin?AWSAccessKeyId=AKIDEXAMPLE&Signature=CKQVA5nyM31ynX44fGcWo5ySm6o%3D&content-type=text%2Fcsv&Expires=1704168245',
  ],
  [
    'a part upload with session token and metadata',
    'PUT',
    '/bucket/k?uploadId=a%2Fb&partNumber=2&AWSAccessKeyId=AKIDEXAMPLE&Signature=jCORSymRO9ARr4NBrQsetPqAElo%3D&x-amz-meta-a=b&x-amz-meta-a-b=c&x-amz-security-token=to%2Fk%2Ben%3D%3D&Expires=1704168245',
  ],
  [
    'a download with another response type',
    'GET',
    '/bucket/k?response-content-type=text%2Fplain&x=1&AWSAccessKeyId=AKIDEXAMPLE&Signature=k7Ve%2BIO4HMMU4cnWKW025SiIPD0%3D&Expires=1704168245',
  ],
] as const
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const EXPIRES = 1_704_168_245

function deps(nowMs = (EXPIRES - 60) * 1000, virtualHostBucket?: string) {
  return {
    findSecret: (accessKeyId: string): SecretLookup =>
      accessKeyId === 'AKIDEXAMPLE'
        ? {
            kind: 'found',
            secretAccessKey: SECRET,
            principal: { arn: 'a', userId: 'u', accountId: '000000000000' },
          }
        : { kind: 'unknown-key' },
    regions: ['us-east-1'],
    nowMs,
    signingKeys: new SigningKeyCache(),
    virtualHostBucket,
  }
}

const request = (method: string, rawTarget: string, rawHeaders: string[] = []): SignedRequest => ({
  method,
  rawTarget,
  rawHeaders: ['host', 'localhost:7070', ...rawHeaders],
  bodySha256: undefined,
})
const verdict = (given: SignedRequest, given2 = deps()): string => {
  const result = verifyRequest(given, given2)
  return result.kind === 'rejected' ? result.failure.kind : result.kind
}

describe('S3 presigned with Signature V2', () => {
  for (const [given, method, target] of VECTORS) {
    it(`verifies ${given} as boto3 signs it`, () => {
      assert.equal(verdict(request(method, target)), 'verified')
    })
  }

  const [, , target] = VECTORS[0]
  const refused: readonly [given: string, kind: string, request: SignedRequest, nowMs?: number][] =
    [
      ['another key', 'bad-signature', request('GET', target.replace('a%20b', 'a%20c'))],
      ['another method', 'bad-signature', request('DELETE', target)],
      [
        'a later expiry',
        'bad-signature',
        request('GET', target.replace('1704168245', '1704168246')),
      ],
      [
        'a changed signature',
        'bad-signature',
        request('GET', target.replace('Signature=', 'Signature=x')),
      ],
      ['an added sub-resource', 'bad-signature', request('GET', `${target}&uploadId=1`)],
      ['an added x-amz header', 'bad-signature', request('GET', target, ['x-amz-acl', 'private'])],
      ['an unknown key', 'unknown-key', request('GET', target.replace('AKIDEXAMPLE', 'AKIDOTHER'))],
      ['two signatures', 'malformed-query', request('GET', `${target}&Signature=a`)],
      ['no expiry', 'malformed-query', request('GET', target.replace('Expires=1704168245', 'E=1'))],
      ['an hour that is over', 'presign-expired', request('GET', target), (EXPIRES + 1) * 1000],
    ]
  for (const [given, kind, from, nowMs] of refused) {
    it(`refuses ${given} as ${kind}`, () => {
      assert.equal(verdict(from, deps(nowMs)), kind)
    })
  }

  it('signs the bucket of a virtual-host style request as part of the path', () => {
    const text = `GET\n\n\n${EXPIRES}\n/bucket/key`
    const signature = createHmac('sha1', SECRET).update(text).digest('base64')
    const from = request(
      'GET',
      `/key?AWSAccessKeyId=AKIDEXAMPLE&Signature=${encodeURIComponent(signature)}&Expires=${EXPIRES}`,
    )
    assert.equal(verdict(from, deps(undefined, 'bucket')), 'verified')
    assert.equal(verdict(from, deps(undefined, 'other')), 'bad-signature')
  })
})
