import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeNpy, parseNpy } from './npy.ts'
import type { NumericType } from './npy.ts'
import { startElements } from './cast.ts'

// Whole files as numpy 2.4 writes them (numpy.lib.format.write_array), base64.
const WRITTEN_BY_NUMPY = [
  {
    given: 'f4 c',
    type: 'float32',
    dims: [2, 3],
    values: [0, 1, 2, 3, 4, 5],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog' +
      'KDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAAAAACAPwAAAEAAAEBAAACAQAAAoEA=',
  },
  {
    given: 'f4 fortran',
    type: 'float32',
    dims: [2, 3],
    values: [0, 1, 2, 3, 4, 5],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAo' +
      'MiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAAAAABAQAAAgD8AAIBAAAAAQAAAoEA=',
  },
  {
    given: 'f8 big endian',
    type: 'float64',
    dims: [2, 3],
    values: [0, 1, 2, 3, 4, 5],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPmY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog' +
      'KDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAAAAAAAAD/wAAAAAAAAQAAAAAAAAABACAAAAAAAAEAQAAAAAAAAQBQAAAAAAAA=',
  },
  {
    given: 'f2',
    type: 'float16',
    dims: [2, 3],
    values: [0, 1, 2, 3, 4, 5],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog' +
      'KDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAA8AEAAQgBEAEU=',
  },
  {
    given: 'i8',
    type: 'int64',
    dims: [1, 2],
    values: [-1n, 9007199254740993n],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog' +
      'KDEsIDIpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAr//////////wEAAAAAACAA',
  },
  {
    given: 'u8 big',
    type: 'uint64',
    dims: [1],
    values: [18446744073709551615n],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPnU4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog' +
      'KDEsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAr//////////w==',
  },
  {
    given: 'bool',
    type: 'bool',
    dims: [2],
    values: [1, 0],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog' +
      'KDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoBAA==',
  },
  {
    given: 'v2',
    type: 'float32',
    dims: [1, 3],
    values: [0, 1, 2],
    base64:
      'k05VTVBZAgB0AAAAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUn' +
      'OiAoMSwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAAAAACAPwAAAEA=',
  },
  {
    given: 'v3',
    type: 'float32',
    dims: [1, 3],
    values: [0, 1, 2],
    base64:
      'k05VTVBZAwB0AAAAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUn' +
      'OiAoMSwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAAAAACAPwAAAEA=',
  },
  {
    given: 'scalar',
    type: 'float64',
    dims: [],
    values: [2.5],
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzog' +
      'KCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAAAAAAEQA==',
  },
  {
    given: 'fortran 3d i2',
    type: 'int16',
    dims: [2, 3, 4],
    values: Array.from({ length: 24 }, (_, index) => index),
    base64:
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGkyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAo' +
      'MiwgMywgNCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg' +
      'ICAgICAgIAoAAAwABAAQAAgAFAABAA0ABQARAAkAFQACAA4ABgASAAoAFgADAA8ABwATAAsAFwA=',
  },
]

for (const { given, type, dims, values, base64 } of WRITTEN_BY_NUMPY) {
  test(`reads what numpy writes: ${given}`, () => {
    const array = parseNpy(Buffer.from(base64, 'base64'))
    assert.equal(array.type, type)
    assert.deepEqual(array.dims, dims)
    assert.deepEqual([...array.elements], values)
  })
}

test('writes the same bytes as numpy', () => {
  const numpy = WRITTEN_BY_NUMPY[0]?.base64 ?? ''
  const elements = Float32Array.from([0, 1, 2, 3, 4, 5])
  assert.equal(encodeNpy({ type: 'float32', dims: [2, 3], elements }).toString('base64'), numpy)
})

const header = (text: string, version = 1): Buffer => {
  const bytes = Buffer.from(`\x93NUMPY${String.fromCharCode(version)}\0??${text}\n`, 'latin1')
  bytes.writeUInt16LE(text.length + 1, 8)
  return bytes
}

for (const [given, body, message] of [
  ['text', Buffer.from('[[1, 2]]'), /not an npy file/],
  [
    'more dimensions than numpy has',
    header(`{'descr': '<f4', 'fortran_order': True, 'shape': (${'1, '.repeat(65)}), }`),
    /65 dimensions; at most 64/,
  ],
  ['a header that is cut', header("{'descr'").subarray(0, 12), /ends inside its header/],
  ['a version to come', header('', 9), /version 9/],
  [
    'objects (pickle)',
    header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"),
    /elements of '\|O'/,
  ],
  [
    'text elements',
    header("{'descr': '<U5', 'fortran_order': False, 'shape': (1,), }"),
    /elements of '<U5'/,
  ],
  [
    'a structure',
    header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
    /elements of \[/,
  ],
  [
    'too few bytes',
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"),
    /has 0 data bytes/,
  ],
  [
    'a shape of 2^60',
    header("{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824, 1073741824), }"),
    /data bytes/,
  ],
] as const) {
  test(`refuses ${given}`, () => {
    assert.throws(() => parseNpy(body), { name: 'Rejection', status: 400, message })
  })
}

const TYPES: readonly NumericType[] = [
  'float16',
  'float32',
  'float64',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'bool',
]
const arrays = fc
  .record({
    type: fc.constantFrom(...TYPES),
    dims: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
    bytes: fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
  })
  .map(({ type, dims, bytes }) => {
    const count = dims.reduce((product, dim) => product * dim, 1)
    const { elements } = startElements(type, count, 'numbers')
    assert.ok(!Array.isArray(elements))
    const filled = Uint8Array.from(bytes.take(elements.byteLength))
    const values = type === 'bool' ? filled.map((byte) => byte & 1) : filled
    new Uint8Array(elements.buffer).set(values)
    return { type, dims, elements }
  })

test('property: what is written reads back, for every type, shape and bit', () => {
  fc.assert(
    fc.property(arrays, (array) => {
      const { type, dims, elements } = parseNpy(encodeNpy(array))
      assert.deepEqual({ type, dims }, { type: array.type, dims: array.dims })
      assert.equal(elements.constructor, array.elements.constructor)
      assert.deepEqual(Buffer.from(elements.buffer), Buffer.from(array.elements.buffer))
    }),
  )
})

test('property: a file that is cut off or goes on is refused, never read as another array', () => {
  fc.assert(
    fc.property(
      arrays,
      fc.nat(),
      fc.uint8Array({ minLength: 1, maxLength: 9 }),
      (array, cut, more) => {
        const file = encodeNpy(array)
        for (const body of [file.subarray(0, cut % file.length), Buffer.concat([file, more])]) {
          assert.throws(() => parseNpy(body), {
            name: 'Rejection',
            status: 400,
            message: /not an npy file|ends inside its header|data bytes/,
          })
        }
      },
    ),
  )
})
