import type { Buffer } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { Rejection } from '../rejection.ts'

const LOCAL_HEAD = 0x04034b50
const CENTRAL_HEAD = 0x02014b50
const END = 0x06054b50
const END_BYTES = 22
const COMMENT_BYTES_MAX = 0xffff
const MEMBERS_MAX = 64

/** How a member is kept; others than these two are not read. */
const STORED = 0
const DEFLATED = 8

/** A file of an archive, packed as it came. */
export interface ZipMember {
  /** @throws Rejection 400: it cannot be unpacked; 413: it would have more bytes. */
  readonly unpack: (bytesMax: number) => Buffer
}

/**
 * The members of a small zip archive, such as `numpy.savez` and `scipy.sparse.save_npz` write. No zip64, no encryption.
 * Only what is asked for is unpacked: a kilobyte can stand for a megabyte.
 *
 * @throws Rejection 400: not a zip archive, or one of another kind.
 */
export function readZip(body: Buffer): ReadonlyMap<string, ZipMember> {
  return refusingFaults(() => {
    const members = new Map<string, ZipMember>()
    const end = findEnd(body)
    const count = body.readUInt16LE(end + 10)
    if (count > MEMBERS_MAX) throw new Rejection(400, `The archive has ${count} members.`)
    let at = body.readUInt32LE(end + 16)
    for (let index = 0; index < count; index += 1) {
      if (body.readUInt32LE(at) !== CENTRAL_HEAD) throw new RangeError('no directory')
      const entryAt = at
      const unpack = (bytesMax: number): Buffer =>
        refusingFaults(() => readMember(body, entryAt, bytesMax))
      const nameEnd = at + 46 + body.readUInt16LE(at + 28)
      members.set(body.toString('utf8', at + 46, nameEnd), { unpack })
      at = nameEnd + body.readUInt16LE(at + 30) + body.readUInt16LE(at + 32)
    }
    return members
  })
}

function refusingFaults<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof Rejection) throw error
    throw new Rejection(400, 'The body is not a zip archive that can be read.')
  }
}

function findEnd(body: Buffer): number {
  const first = Math.max(0, body.length - END_BYTES - COMMENT_BYTES_MAX)
  for (let at = body.length - END_BYTES; at >= first; at -= 1) {
    if (body.readUInt32LE(at) === END) return at
  }
  throw new RangeError('no end')
}

function readMember(body: Buffer, at: number, bytesMax: number): Buffer {
  const method = body.readUInt16LE(at + 10)
  const packedBytes = body.readUInt32LE(at + 20)
  const bytes = body.readUInt32LE(at + 24)
  const local = body.readUInt32LE(at + 42)
  if (bytes > bytesMax) {
    throw new Rejection(
      413,
      `A member of the archive has ${bytes} bytes; at most ${bytesMax} are read.`,
    )
  }
  if (body.readUInt32LE(local) !== LOCAL_HEAD) throw new RangeError('no member')
  const start = local + 30 + body.readUInt16LE(local + 26) + body.readUInt16LE(local + 28)
  const packed = body.subarray(start, start + packedBytes)
  if (method === STORED) return packed
  if (method !== DEFLATED) throw new RangeError('another method')
  // What a member says of its size is not believed.
  return inflateRawSync(packed, { maxOutputLength: Math.max(1, bytes) })
}
