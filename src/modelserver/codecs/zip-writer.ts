import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'

const LOCAL_HEAD = 0x04034b50
const CENTRAL_HEAD = 0x02014b50
const END = 0x06054b50
const VERSION = 20
// The names are UTF-8.
const NAME_FLAG = 0x0800
// 1980-01-01, the first day there is: the same content gives the same bytes.
const DAY = 0x0021

/**
 * A zip archive of files that are stored as they are, in the given order. No zip64: together less than 4 GB, fewer than 2^16.
 *
 * Source: PKWARE APPNOTE, 4.3.7 (local head), 4.3.12 (directory), 4.3.16 (end).
 */
export function encodeZip(members: ReadonlyMap<string, Buffer>): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, content] of members) {
    const label = Buffer.from(name)
    const shared = encodeSharedHead(label, content)
    const local = Buffer.concat([encodeNumber(LOCAL_HEAD), shared, label, content])
    const central = Buffer.alloc(46)
    central.writeUInt32LE(CENTRAL_HEAD, 0)
    central.writeUInt16LE(VERSION, 4)
    shared.copy(central, 6)
    central.writeUInt32LE(at, 42)
    files.push(local)
    directory.push(central, label)
    at += local.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(END, 0)
  end.writeUInt16LE(members.size, 8)
  end.writeUInt16LE(members.size, 10)
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  )
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...files, ...directory, end])
}

// What stands in both heads of a file, from "version needed" to the length of the extra field.
function encodeSharedHead(label: Buffer, content: Buffer): Buffer {
  const head = Buffer.alloc(26)
  head.writeUInt16LE(VERSION, 0)
  head.writeUInt16LE(NAME_FLAG, 2)
  head.writeUInt16LE(DAY, 8)
  head.writeUInt32LE(crc32(content), 10)
  head.writeUInt32LE(content.length, 14)
  head.writeUInt32LE(content.length, 18)
  head.writeUInt16LE(label.length, 22)
  return head
}

function encodeNumber(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
