// CRC-32C (Castagnoli) and CRC-64/NVME, bit-reflected, byte by byte over a table. node:zlib has only CRC-32.
const CRC32C_POLYNOMIAL = 0x82f63b78
const CRC64NVME_POLYNOMIAL = 0x9a6c_9329_ac4b_c9b5n

interface HalfTables {
  readonly low: Uint32Array
  readonly high: Uint32Array
}

let crc32cTable: Uint32Array | undefined
let crc64Tables: HalfTables | undefined

/** Continues a CRC-32C. @param crc the value so far, 0 at the start. */
export function crc32c(bytes: Uint8Array, crc: number): number {
  crc32cTable ??= buildCrc32cTable()
  const table = crc32cTable
  let state = ~crc
  for (let at = 0; at < bytes.length; at += 1) {
    state = (table[(state ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (state >>> 8)
  }
  return ~state >>> 0
}

/** A CRC-64/NVME in the making, as two halves: 64-bit integers in JavaScript are a hundred times slower. */
export interface Crc64State {
  readonly low: number
  readonly high: number
}

/** Continues a CRC-64/NVME. @param state the value so far, `{ low: 0, high: 0 }` at the start. */
export function crc64nvme(bytes: Uint8Array, state: Crc64State): Crc64State {
  crc64Tables ??= buildCrc64Tables()
  const tables = crc64Tables
  let low = ~state.low
  let high = ~state.high
  for (let at = 0; at < bytes.length; at += 1) {
    const index = (low ^ (bytes[at] ?? 0)) & 0xff
    low = ((low >>> 8) | (high << 24)) ^ (tables.low[index] ?? 0)
    high = (high >>> 8) ^ (tables.high[index] ?? 0)
  }
  return { low: ~low >>> 0, high: ~high >>> 0 }
}

function buildCrc32cTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index
    for (let bit = 0; bit < 8; bit += 1) {
      value = (value & 1) === 1 ? (value >>> 1) ^ CRC32C_POLYNOMIAL : value >>> 1
    }
    return value
  })
}

function buildCrc64Tables(): HalfTables {
  const tables = { low: new Uint32Array(256), high: new Uint32Array(256) }
  for (let index = 0; index < 256; index += 1) {
    let value = BigInt(index)
    for (let bit = 0; bit < 8; bit += 1) {
      value = (value & 1n) === 1n ? (value >> 1n) ^ CRC64NVME_POLYNOMIAL : value >> 1n
    }
    tables.low[index] = Number(value & 0xffff_ffffn)
    tables.high[index] = Number(value >> 32n)
  }
  return tables
}
