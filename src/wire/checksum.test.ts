import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  checksumHeader,
  createChecksum,
  findChecksumAlgorithm,
  type ChecksumAlgorithm,
} from './checksum.ts'

const digest = (algorithm: ChecksumAlgorithm, ...parts: readonly Uint8Array[]): string => {
  const checksum = createChecksum(algorithm)
  for (const part of parts) checksum.update(part)
  return checksum.digest()
}

// CRC catalogue values of "123456789"; the SHA ones by openssl.
const CASES: readonly [algorithm: ChecksumAlgorithm, hex: string][] = [
  ['CRC32', 'cbf43926'],
  ['CRC32C', 'e3069283'],
  ['CRC64NVME', 'ae8b14860a799888'],
  ['SHA1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
  ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
]

describe('checksums', () => {
  for (const [algorithm, hex] of CASES) {
    it(`${algorithm} has its published value, however the bytes arrive`, () => {
      const expected = Buffer.from(hex, 'hex').toString('base64')
      assert.equal(digest(algorithm, Buffer.from('123456789')), expected)
      assert.equal(
        digest(algorithm, Buffer.from('1234'), Buffer.alloc(0), Buffer.from('56789')),
        expected,
      )
    })
  }

  it('does not depend on where the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(64), (bytes, cut) => {
        for (const [algorithm] of CASES) {
          assert.equal(
            digest(algorithm, bytes.subarray(0, cut), bytes.subarray(cut)),
            digest(algorithm, bytes),
          )
        }
      }),
    )
  })

  it('finds its algorithm by header and back', () => {
    for (const [algorithm] of CASES) {
      assert.equal(findChecksumAlgorithm(checksumHeader(algorithm)), algorithm)
    }
    assert.equal(findChecksumAlgorithm('x-amz-checksum-type'), undefined)
  })
})
