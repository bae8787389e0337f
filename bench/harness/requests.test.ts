import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { SigningKeyCache } from '../../src/wire/sigv4-keys.ts'
import { verifyRequest } from '../../src/wire/sigv4.ts'
import type { Address } from './address.ts'
import { openRequestFile } from './load.ts'
import { encodeRequests, readRequests, signRequests } from './requests.ts'

const ADDRESS: Address = { kind: 'tcp', host: '127.0.0.1', port: 7070 }
const SIGNING = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'secret',
  region: 'us-east-1',
  service: 'sagemaker',
}
const REQUESTS = ['{"instances":[[1]]}', '{"instances":[[2]]}'].map((body) => ({
  method: 'POST' as const,
  path: '/endpoints/mlp/invocations',
  headers: { 'content-type': 'application/json' },
  body,
}))

test('prepared requests pass the verifier of the gateway and have different signatures', async () => {
  const encoded = await signRequests(ADDRESS, REQUESTS, SIGNING)
  const verdicts = encoded.map((bytes) => verify(bytes.toString()))
  assert.deepEqual(verdicts, ['verified', 'verified'])
  const signatures = encoded.map((bytes) => /Signature=(\w+)/.exec(bytes.toString())?.[1])
  assert.equal(new Set(signatures).size, 2)
})

test('a prepared request with another body does not pass', async () => {
  const [bytes] = await signRequests(ADDRESS, REQUESTS, SIGNING)
  assert.equal(verify((bytes?.toString() ?? '').replace('[[1]]', '[[3]]')), 'rejected')
})

test('another process reads the requests as they were written', () => {
  const encoded = encodeRequests({ kind: 'socket', path: '/x' }, REQUESTS)
  using file = openRequestFile(encoded)
  assert.deepEqual(readRequests(file.path), encoded)
})

function verify(text: string): string {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const [line = '', ...headers] = head.split('\r\n')
  const rawHeaders = headers.flatMap((header) => {
    const colon = header.indexOf(':')
    return [header.slice(0, colon), header.slice(colon + 1).trim()]
  })
  const [method = '', rawTarget = ''] = line.split(' ')
  const bodySha256 = createHash('sha256').update(body).digest('hex')
  return verifyRequest(
    { method, rawTarget, rawHeaders, bodySha256 },
    {
      findSecret: () => ({
        kind: 'found',
        secretAccessKey: SIGNING.secretAccessKey,
        principal: { arn: 'arn', userId: 'id', accountId: '000000000000' },
      }),
      regions: [SIGNING.region],
      nowMs: Date.now(),
      signingKeys: new SigningKeyCache(),
    },
  ).kind
}
