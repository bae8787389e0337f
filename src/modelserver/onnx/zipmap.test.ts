import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { readOutline } from './outline.ts'
import { encodeField, encodeVarintField, ProtobufError } from './protobuf.ts'
import type { ByteSource } from './protobuf.ts'
import { withoutZipMaps } from './zipmap.ts'

const sourceOf = (bytes: Buffer): ByteSource => ({
  byteLength: bytes.length,
  read: (offset, byteLength) => bytes.subarray(offset, offset + byteLength),
})
const message = (...fields: readonly Buffer[]): Buffer => Buffer.concat(fields)
const opset = (domain: string, version: number): Buffer =>
  encodeField(8, message(encodeField(1, domain), encodeVarintField(2, version)))

/** A model of one ZipMap over `probabilities`, with the given labels attribute. */
function zipMapModel(labels: Buffer, ...imports: readonly Buffer[]): Buffer {
  const node = message(
    encodeField(1, 'probabilities'),
    encodeField(2, 'map'),
    encodeField(4, 'ZipMap'),
    encodeField(5, labels),
    encodeField(7, 'ai.onnx.ml'),
  )
  const weights = encodeField(5, Buffer.alloc(500_000))
  const graph = message(encodeField(1, node), weights, encodeField(12, encodeField(1, 'map')))
  return message(encodeVarintField(1, 8), encodeField(7, graph), ...imports)
}

// -1 as int64: ten bytes of two's complement.
const MINUS_ONE = Buffer.from('ffffffffffffffffff01', 'hex')
const name = (text: string): Buffer => encodeField(1, text)

for (const { given, labels, expected } of [
  {
    given: 'integers, a field each',
    labels: message(name('classlabels_int64s'), encodeVarintField(8, 7), encodeVarintField(8, 300)),
    expected: ['7', '300'],
  },
  {
    given: 'integers, packed',
    labels: message(
      name('classlabels_int64s'),
      encodeField(8, message(MINUS_ONE, Buffer.from([0, 5]))),
    ),
    expected: ['-1', '0', '5'],
  },
  {
    given: 'strings',
    labels: message(name('classlabels_strings'), encodeField(9, 'a'), encodeField(9, 'ü')),
    expected: ['a', 'ü'],
  },
]) {
  test(`reads labels written as ${given}`, () => {
    const outline = readOutline(sourceOf(zipMapModel(labels)))
    assert.deepEqual(
      outline?.zipMaps.map((zipMap) => zipMap.labels),
      [expected],
    )
  })
}

test('the rewritten model has no ZipMap, keeps the rest, and imports the standard operators', () => {
  const labels = message(name('classlabels_int64s'), encodeVarintField(8, 1))
  const source = sourceOf(zipMapModel(labels, opset('ai.onnx.ml', 3)))
  const outline = readOutline(source)
  assert.ok(outline !== undefined && !outline.hasStandardOperators)
  const rewritten = withoutZipMaps(source, outline)
  const after = readOutline(sourceOf(rewritten))
  assert.deepEqual(after?.zipMaps, [])
  assert.deepEqual(
    after.outputs.map((output) => output.name),
    ['map'],
  )
  assert.equal(after.hasStandardOperators, true)
  assert.ok(rewritten.includes(Buffer.alloc(500_000)))
})

test('property: any bytes are an outline or a ProtobufError, never another error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        readOutline(sourceOf(Buffer.from(bytes)))
      } catch (error) {
        assert.ok(error instanceof ProtobufError, String(error))
      }
    }),
  )
})
