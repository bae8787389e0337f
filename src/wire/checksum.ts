import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { crc32c, crc64nvme } from './crc-tables.ts'

/** S3's additional checksums. */
export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256'

/** A checksum in the making. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  update(bytes: Uint8Array): void
  /** Base64, as the `x-amz-checksum-*` headers carry it. Call once, last. */
  digest(): string
}

const ALGORITHM_BY_HEADER: ReadonlyMap<string, ChecksumAlgorithm> = new Map([
  ['x-amz-checksum-crc32', 'CRC32'],
  ['x-amz-checksum-crc32c', 'CRC32C'],
  ['x-amz-checksum-crc64nvme', 'CRC64NVME'],
  ['x-amz-checksum-sha1', 'SHA1'],
  ['x-amz-checksum-sha256', 'SHA256'],
])

/** The algorithm of a checksum header or trailer, or undefined when it is not one. @param name in lower case. */
export function findChecksumAlgorithm(name: string): ChecksumAlgorithm | undefined {
  return ALGORITHM_BY_HEADER.get(name)
}

/** The header that carries a checksum, in lower case. */
export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`
}

/** Starts a checksum. */
export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  switch (algorithm) {
    case 'CRC32':
      return create32(algorithm, (bytes, crc) => crc32(bytes, crc))
    case 'CRC32C':
      return create32(algorithm, crc32c)
    case 'CRC64NVME':
      return create64()
    case 'SHA1':
    case 'SHA256':
      return createSha(algorithm)
  }
}

function create32(
  algorithm: ChecksumAlgorithm,
  next: (bytes: Uint8Array, crc: number) => number,
): Checksum {
  let crc = 0
  return {
    algorithm,
    update: (bytes) => {
      crc = next(bytes, crc)
    },
    digest: () => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(crc)
      return bytes.toString('base64')
    },
  }
}

function create64(): Checksum {
  let state = { low: 0, high: 0 }
  return {
    algorithm: 'CRC64NVME',
    update: (bytes) => {
      state = crc64nvme(bytes, state)
    },
    digest: () => {
      const bytes = Buffer.alloc(8)
      bytes.writeUInt32BE(state.high, 0)
      bytes.writeUInt32BE(state.low, 4)
      return bytes.toString('base64')
    },
  }
}

function createSha(algorithm: 'SHA1' | 'SHA256'): Checksum {
  const hash = createHash(algorithm.toLowerCase())
  return {
    algorithm,
    update: (bytes) => {
      hash.update(bytes)
    },
    digest: () => hash.digest('base64'),
  }
}
