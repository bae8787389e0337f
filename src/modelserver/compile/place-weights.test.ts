import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeField } from '../onnx/protobuf.ts'
import { MODEL_NAME, WEIGHTS_NAME } from './artefact.ts'
import { placeWeights } from './place-weights.ts'

const KIB = 1024
const MIB = 1024 * KIB
// As ONNX Runtime writes them: one right behind the other.
const LENGTHS = [5000, 2 * MIB, 100, 5 * MIB + 12, 7 * KIB]

/** A saved model of nothing but tensors in a file of weights, each rearranged as well. */
function save(folder: string): { readonly weights: Buffer; readonly offsets: readonly number[] } {
  const offsets = LENGTHS.map((_, index) => sum(LENGTHS.slice(0, index)))
  const weights = Buffer.from(Uint8Array.from({ length: sum(LENGTHS) }, (_, at) => (at * 31) % 251))
  const entry = (key: string, value: string): Buffer =>
    encodeField(13, Buffer.concat([encodeField(1, key), encodeField(2, value)]))
  const tensors = LENGTHS.map((length, index) => {
    const place = { offset: String(offsets[index]), length: String(length) }
    const prepacked = `key|${place.offset};${place.length};0`
    const entries = { location: WEIGHTS_NAME, ...place, prepacked_0: prepacked }
    return encodeField(5, Buffer.concat(Object.entries(entries).map(([k, v]) => entry(k, v))))
  })
  writeFileSync(join(folder, MODEL_NAME), encodeField(7, Buffer.concat(tensors)))
  writeFileSync(join(folder, WEIGHTS_NAME), weights)
  return { weights, offsets }
}

// Files, because files are what it takes and gives.
test('every tensor keeps its bytes and begins on a page, one of 2 MiB and more on a page of that size', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-place-'))
  try {
    const savedFolder = join(folder, 'saved')
    mkdirSync(savedFolder)
    const { weights, offsets } = save(savedFolder)
    const placed = placeWeights({ savedFolder, folder, keepsPrepacked: true })
    const bytes = readFileSync(join(folder, WEIGHTS_NAME))
    assert.equal(placed.sha256, createHash('sha256').update(bytes).digest('hex'))
    assert.equal(placed.plainBytes, sum(LENGTHS))
    assert.equal(placed.prepackedBytes, sum(LENGTHS))
    const model = readFileSync(join(folder, MODEL_NAME), 'latin1')
    const found = [...model.matchAll(/(?:offset..|\|)(\d+)/gs)].map(([, text]) => Number(text))
    assert.equal(found.length, 2 * LENGTHS.length)
    for (const [index, offset] of found.entries()) {
      const tensor = index >> 1
      const length = LENGTHS[tensor] ?? 0
      const original = offsets[tensor] ?? 0
      assert.equal(offset % (length < 2 * MIB ? 4 * KIB : 2 * MIB), 0, `tensor ${tensor}`)
      const expected = weights.subarray(original, original + length)
      assert.ok(bytes.subarray(offset, offset + length).equals(expected), `tensor ${tensor}`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
