import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { StreamingPayload } from './auth-types.ts'
import { AwsChunkedDecoder, BodyError, decodeAwsChunked, type ChunkedBody } from './aws-chunked.ts'
import { SigningKeyCache } from './sigv4-keys.ts'

const SCOPE = { date: '20130524', region: 'us-east-1', service: 's3' }
const signingKey = new SigningKeyCache().find('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', SCOPE)

function payload(overrides: Partial<StreamingPayload>): StreamingPayload {
  return {
    kind: 'streaming',
    signed: false,
    trailer: true,
    seedSignature: '0'.repeat(64),
    signingKey: signingKey.bytes,
    scope: '20130524/us-east-1/s3/aws4_request',
    amzDate: '20130524T000000Z',
    ...overrides,
  }
}

const UNSIGNED: ChunkedBody = {
  payload: payload({}),
  decodedBytes: 5,
  trailerNames: ['x-amz-checksum-crc32'],
}
const RECORDED = '5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n'

// The examples of the S3 API reference: 65 KiB of "a" in two chunks.
const SIGNED: ChunkedBody = {
  payload: payload({
    signed: true,
    trailer: false,
    seedSignature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  }),
  decodedBytes: 66_560,
  trailerNames: [],
}
const SIGNED_RAW = [
  `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n`,
  'a'.repeat(65_536),
  '\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n',
  'a'.repeat(1024),
  '\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n',
].join('')
const SIGNED_TRAILER: ChunkedBody = {
  payload: payload({
    signed: true,
    seedSignature: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
  }),
  decodedBytes: 66_560,
  trailerNames: ['x-amz-checksum-crc32c'],
}
const SIGNED_TRAILER_RAW = [
  `10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n`,
  'a'.repeat(65_536),
  '\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n',
  'a'.repeat(1024),
  '\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n',
  'x-amz-checksum-crc32c:sOO8/Q==\r\n',
  'x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n',
].join('')

function decode(
  raw: string,
  body: ChunkedBody,
  cuts: readonly number[] = [],
): { text: string; trailers: ReadonlyMap<string, string> } {
  const decoder = new AwsChunkedDecoder(body)
  const bytes = Buffer.from(raw, 'latin1')
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  )
  const decoded: Uint8Array[] = []
  let from = 0
  for (const end of ends) {
    decoded.push(...decoder.push(bytes.subarray(from, end)))
    from = end
  }
  const trailers = decoder.finish()
  return { text: Buffer.concat(decoded).toString('latin1'), trailers }
}

const codeOf = (raw: string, body: ChunkedBody): string => {
  try {
    decode(raw, body)
    return 'decoded'
  } catch (error) {
    return error instanceof BodyError ? error.code : String(error)
  }
}

describe('aws-chunked', () => {
  it('decodes what boto3 and the JavaScript SDK send', () => {
    const { text, trailers } = decode(RECORDED, UNSIGNED)
    assert.equal(text, 'hello')
    assert.deepEqual([...trailers], [['x-amz-checksum-crc32', 'NhCmhg==']])
  })

  it('verifies the signed example of the S3 reference', () => {
    assert.equal(decode(SIGNED_RAW, SIGNED).text, 'a'.repeat(66_560))
  })

  it('verifies the signed example with trailer of the S3 reference', () => {
    const { text, trailers } = decode(SIGNED_TRAILER_RAW, SIGNED_TRAILER)
    assert.equal(text.length, 66_560)
    assert.deepEqual([...trailers], [['x-amz-checksum-crc32c', 'sOO8/Q==']])
  })

  it('decodes the same wherever the network cuts the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 8 }), (cuts) => {
        assert.equal(decode(RECORDED, UNSIGNED, cuts).text, 'hello')
        assert.equal(decode(SIGNED_TRAILER_RAW, SIGNED_TRAILER, cuts).text.length, 66_560)
      }),
      { numRuns: 40 },
    )
  })

  const refused: readonly [given: string, code: string, raw: string, body: ChunkedBody][] = [
    ['an early end', 'IncompleteBody', RECORDED.slice(0, -2), UNSIGNED],
    ['bytes after the end', 'IncompleteBody', `${RECORDED}x`, UNSIGNED],
    [
      'a chunk shorter than its size',
      'IncompleteBody',
      RECORDED.replace('hello', 'hell'),
      UNSIGNED,
    ],
    [
      'a chunk longer than its size',
      'IncompleteBody',
      RECORDED.replace('hello', 'hello!'),
      UNSIGNED,
    ],
    ['more than was announced', 'InvalidChunkSizeError', '6\r\nhello!\r\n0\r\n\r\n', UNSIGNED],
    ['less than was announced', 'IncompleteBody', RECORDED, { ...UNSIGNED, decodedBytes: 6 }],
    ['a size that is not one', 'IncompleteBody', RECORDED.replace('5\r\n', '-5\r\n'), UNSIGNED],
    ['a bare line feed', 'IncompleteBody', RECORDED.replace('5\r\n', '5\n'), UNSIGNED],
    ['an endless chunk header', 'IncompleteBody', '0'.repeat(300), UNSIGNED],
    ['a missing trailer', 'MalformedTrailerError', '5\r\nhello\r\n0\r\n\r\n', UNSIGNED],
    [
      'an unannounced trailer',
      'MalformedTrailerError',
      RECORDED,
      { ...UNSIGNED, trailerNames: [] },
    ],
    [
      'a repeated trailer',
      'MalformedTrailerError',
      RECORDED.replace('x-amz', 'x-amz-checksum-crc32:AAAA\r\nx-amz'),
      UNSIGNED,
    ],
    [
      'a plain chunk in a signed body',
      'SignatureDoesNotMatch',
      SIGNED_RAW.replace(/;chunk-signature=\w+/, ''),
      SIGNED,
    ],
    ['a changed chunk', 'SignatureDoesNotMatch', SIGNED_RAW.replace('aa', 'ab'), SIGNED],
    [
      'a changed chunk signature',
      'SignatureDoesNotMatch',
      SIGNED_RAW.replace('ad80', 'ad81'),
      SIGNED,
    ],
    [
      'a dropped last signature',
      'SignatureDoesNotMatch',
      SIGNED_RAW.replace('b6c6', 'b6c7'),
      SIGNED,
    ],
    [
      'a changed trailer',
      'SignatureDoesNotMatch',
      SIGNED_TRAILER_RAW.replace('sOO8', 'sOO9'),
      SIGNED_TRAILER,
    ],
    [
      'a missing trailer signature',
      'SignatureDoesNotMatch',
      SIGNED_TRAILER_RAW.replace(/x-amz-trailer-signature.*\r\n/, ''),
      SIGNED_TRAILER,
    ],
  ]
  for (const [given, code, raw, body] of refused) {
    it(`refuses ${given} as ${code}`, () => assert.equal(codeOf(raw, body), code))
  }

  it('gives the trailers of a stream after its last byte', async () => {
    const source = (async function* () {
      await Promise.resolve()
      yield Buffer.from(RECORDED)
    })()
    let trailers: ReadonlyMap<string, string> | undefined
    const decoded: Uint8Array[] = []
    for await (const piece of decodeAwsChunked(source, UNSIGNED, (all) => (trailers = all))) {
      assert.equal(trailers, undefined)
      decoded.push(piece)
    }
    assert.equal(Buffer.concat(decoded).toString(), 'hello')
    assert.equal(trailers?.get('x-amz-checksum-crc32'), 'NhCmhg==')
  })
})
