import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { encodeField } from '../onnx/protobuf.ts'
import { bindRequest } from './bind.ts'
import type { Format } from './media-type.ts'
import { encodeNpy } from './npy.ts'
import { parseRequest } from './request.ts'
import type { Signature } from './signature.ts'

const SIGNATURE: Signature = {
  inputs: [{ name: 'x', type: 'float32', dims: ['N', 3] }],
  outputs: [{ name: 'y', type: 'float32', dims: ['N', 1] }],
}
const MATRIX = { dims: [2, 3], values: [1.5, 0, 0, 0, 0, -2] }

function bind(format: Format, body: string | Buffer, signature = SIGNATURE) {
  const [tensor] = bindRequest(parseRequest(format, Buffer.from(body)), signature)
  return { dims: tensor?.dims, values: Array.from(tensor?.elements ?? [], Number) }
}

const npz = (form: string): Buffer =>
  readFileSync(join(import.meta.dirname, `../../../test/fixtures/npz/${form}.npz`))

/** A record of a body: the payload of its features' tensor, float32 unless said. */
function record(tensor: Buffer, { tensorField = 2, key = 'values' } = {}): Buffer {
  const value = encodeField(2, encodeField(tensorField, tensor))
  const payload = encodeField(1, Buffer.concat([encodeField(1, key), value]))
  const head = Buffer.alloc(8)
  head.writeUInt32LE(0xced7230a, 0)
  head.writeUInt32LE(payload.length, 4)
  return Buffer.concat([head, payload, Buffer.alloc((4 - (payload.length % 4)) % 4)])
}
const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer)
const denseRecords = Buffer.concat([
  record(encodeField(1, floats(1.5, 0, 0))),
  record(encodeField(1, floats(0, 0, -2))),
])
const sparseRecord = record(
  Buffer.concat([
    encodeField(1, floats(7)),
    encodeField(2, Buffer.of(1)),
    encodeField(3, Buffer.of(3)),
  ]),
)

const zeroRecord = record(encodeField(3, Buffer.of(3)))

/** A zip archive of members of these names. */
function zip(members: Readonly<Record<string, Buffer>>): Buffer {
  const numbered = (byteCount: number, numbers: Readonly<Record<number, number>>): Buffer => {
    const head = Buffer.alloc(byteCount)
    for (const [at, number] of Object.entries(numbers)) head.writeUInt32LE(number, Number(at))
    return head
  }
  let at = 0
  const entries = Object.entries(members).map(([name, content]) => {
    const packed = deflateRawSync(content)
    const local = numbered(30, { 0: 0x04034b50, 26: name.length })
    const sizes = { 20: packed.length, 24: content.length, 28: name.length, 42: at }
    const central = numbered(46, { 0: 0x02014b50, 10: 8, ...sizes })
    at += local.length + name.length + packed.length
    const label = Buffer.from(name)
    return { file: Buffer.concat([local, label, packed]), central: Buffer.concat([central, label]) }
  })
  const end = numbered(22, { 0: 0x06054b50, 10: entries.length, 16: at })
  const directory = entries.map(({ central }) => central)
  return Buffer.concat([...entries.map(({ file }) => file), ...directory, end])
}

const SHAPE = encodeNpy({ type: 'int32', dims: [2], elements: Int32Array.of(1, 3) })

/** A matrix of one row of three, as scipy saves it. */
function matrix(form: string, arrays: Readonly<Record<string, readonly number[]>>): Buffer {
  const shaped = Object.entries({ shape: [1, 3], ...arrays }).map(([name, numbers]) => {
    const elements = Float64Array.from(numbers)
    return [`${name}.npy`, encodeNpy({ type: 'float64', dims: [elements.length], elements })]
  })
  return zip({ 'format.npy': Buffer.from(form), ...Object.fromEntries(shaped) })
}

for (const { given, format, body, expected } of [
  {
    given: 'several values for one place, which are added up',
    format: 'npz',
    body: matrix('coo', { data: [2, 3, 4], row: [0, 0, 0], col: [1, 1, 2] }),
    expected: { dims: [1, 3], values: [0, 5, 4] },
  },
  {
    given: 'a sparse record of zeros alone',
    format: 'recordio',
    body: Buffer.concat([zeroRecord, sparseRecord]),
    expected: { dims: [2, 3], values: [0, 0, 0, 0, 7, 0] },
  },
  { given: 'LIBSVM from 1', format: 'libsvm', body: '1 1:1.5\n0 3:-2\n', expected: MATRIX },
  { given: 'LIBSVM from 0', format: 'libsvm', body: '1 0:1.5\n0 2:-2 # x\n', expected: MATRIX },
  { given: 'LIBSVM without labels', format: 'libsvm', body: '1:1.5\nqid:4 3:-2', expected: MATRIX },
  { given: 'csr', format: 'npz', body: npz('csr'), expected: MATRIX },
  { given: 'csc', format: 'npz', body: npz('csc'), expected: MATRIX },
  { given: 'coo', format: 'npz', body: npz('coo'), expected: MATRIX },
  { given: 'dense records', format: 'recordio', body: denseRecords, expected: MATRIX },
  {
    given: 'a sparse record',
    format: 'recordio',
    body: sparseRecord,
    expected: { dims: [1, 3], values: [0, 7, 0] },
  },
] as const) {
  test(`binds ${given}`, () => assert.deepEqual(bind(format, body), expected))
}

for (const { given, format, body, message } of [
  { given: 'a wrong entry', format: 'libsvm', body: '1 1:1\n1 1=2', message: /Line 2 .* has 1=2/ },
  { given: 'a value', format: 'libsvm', body: '1 1:x', message: /Line 1 .* has 1:x/ },
  {
    given: 'a column too many',
    format: 'libsvm',
    body: '1 1:1 4:1',
    message: /row 1 has a value in column 4.* The model takes inputs: x float32 \[N, 3\]/,
  },
  { given: 'no archive', format: 'npz', body: 'PK', message: /not a zip archive/ },
  {
    given: 'another form',
    format: 'npz',
    body: npz('dia'),
    message: /form dia|has indices\.npy|indptr/,
  },
  { given: 'no RecordIO', format: 'recordio', body: 'records!', message: /byte 0 does not begin/ },
  {
    given: 'a record cut short',
    format: 'recordio',
    body: denseRecords.subarray(0, -4),
    message: /does not begin a record/,
  },
  {
    given: 'fewer places than values',
    format: 'npz',
    body: matrix('coo', { data: [2, 3], row: [0], col: [1, 2] }),
    message: /there are 2 values, and for them 1 rows and 2 columns/,
  },
  {
    given: 'a place between two columns',
    format: 'npz',
    body: matrix('coo', { data: [2], row: [0], col: [0.5] }),
    message: /row 1 has a value in column 1\.5/,
  },
  {
    given: 'a record of fewer keys than values',
    format: 'recordio',
    body: Buffer.concat([
      record(Buffer.concat([encodeField(1, floats(7, 8)), encodeField(2, Buffer.of(1))])),
      sparseRecord,
    ]),
    message: /Record 1 .* 2 values and 1 keys/,
  },
  {
    given: 'a record without numbers',
    format: 'recordio',
    body: record(floats(1), { tensorField: 9 }),
    message: /Record 1 is not a protobuf Record/,
  },
  {
    given: 'rows of two widths',
    format: 'recordio',
    body: Buffer.concat([denseRecords, record(encodeField(1, floats(1)))]),
    message: /rows of 3 and 1 values/,
  },
] as const) {
  test(`refuses ${given}`, () =>
    assert.throws(() => bind(format, body), { name: 'Rejection', status: 400, message }))
}

test('refuses an archive that stands for more values than are read', () => {
  const dims = [2 ** 24 + 1]
  const data = encodeNpy({ type: 'int8', dims, elements: new Int8Array(dims[0] ?? 0) })
  const tooMany = zip({ 'format.npy': Buffer.from('csr'), 'shape.npy': SHAPE, 'data.npy': data })
  assert.throws(() => bind('npz', tooMany), {
    status: 413,
    message: /data\.npy of the npz body has 16777217 values; at most 16777216 are read/,
  })
})

test('refuses more values than are served', () => {
  const inputs = [{ name: 'x', type: 'float32', dims: ['N', 2 ** 23] }] as const
  assert.throws(() => bind('libsvm', '1\n1\n1 1:5', { ...SIGNATURE, inputs }), {
    status: 413,
    message: /3 rows of 8388608 values; at most 16777216/,
  })
})

test('sparse rows fill the inputs of a model of several in their order', () => {
  const inputs = ['a', 'b'].map((name) => ({ name, type: 'float32', dims: ['N', 2] }) as const)
  const given = parseRequest('libsvm', Buffer.from('1 1:1 4:4'))
  const bound = bindRequest(given, { ...SIGNATURE, inputs })
  assert.deepEqual(
    bound.map(({ elements }) => Array.from(elements, Number)),
    [
      [1, 0],
      [0, 4],
    ],
  )
})

test('bytes of any kind are bound or refused, never a fault', () => {
  const bodies = [npz('csr'), npz('coo'), denseRecords, sparseRecord, Buffer.from('1 1:2 3:4\n')]
  const mutated = fc
    .tuple(fc.constantFrom(...bodies), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }))
    .map(([body, changes]) => {
      const bytes = Buffer.from(body)
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      return bytes
    })
  fc.assert(
    fc.property(mutated, fc.constantFrom('npz', 'recordio', 'libsvm'), (body, format) => {
      try {
        bind(format, body)
      } catch (error) {
        assert.equal(error instanceof Error && error.name, 'Rejection')
      }
    }),
  )
})
