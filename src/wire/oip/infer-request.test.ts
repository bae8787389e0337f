import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OipError } from './errors.ts'
import { parseInferRequest, type InferRequestOptions } from './infer-request.ts'
import { encodeInferResponse } from './infer-response.ts'
import { DATATYPES, byteSizeOf, elementCount, joinBytes, type Tensor } from './tensor.ts'

const MODEL = { name: 'm', maxBatchSize: 0, inputs: [] }
const WITHOUT_HEADER: InferRequestOptions = { headerLength: undefined, model: MODEL }

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 })
const tensors: fc.Arbitrary<Tensor> = fc
  .record({ name: fc.string(), datatype: fc.constantFrom(...DATATYPES), shape: shapes })
  .chain((head) => {
    const count = elementCount(head.shape)
    const size = byteSizeOf(head.datatype)
    const data =
      size === undefined
        ? fc
            .array(fc.string({ unit: 'grapheme' }), { minLength: count, maxLength: count })
            .map((texts) => joinBytes(texts.map((text) => Buffer.from(text))))
        : fc
            .uint8Array({ minLength: count * size, maxLength: count * size })
            .map((bytes) => (head.datatype === 'BOOL' ? bytes.map((byte) => byte & 1) : bytes))
    return data.map((bytes) => ({ ...head, data: new Uint8Array(bytes) }))
  })

function bodyOf(json: unknown): Buffer {
  return Buffer.from(JSON.stringify(json))
}

test('tensors come back as they went, as JSON and as bytes', () => {
  fc.assert(
    fc.property(fc.array(tensors, { maxLength: 3 }), fc.boolean(), (given, isBinary) => {
      const outputs = given.filter(
        ({ datatype }) => isBinary || (datatype !== 'FP16' && datatype !== 'BF16'),
      )
      const written = encodeInferResponse(
        { id: 'x', modelName: 'm', modelVersion: '1', outputs },
        { requested: { requestedOutputs: [], isBinaryByDefault: isBinary }, isBatched: false },
      )
      const length = Number(
        written.headers['Inference-Header-Content-Length'] ?? written.body.length,
      )
      // A response's outputs have the form of a request's inputs.
      const text = Buffer.from(written.body.subarray(0, length)).toString()
      const json = Buffer.from(text.replace('"outputs":', '"inputs":'))
      const read = parseInferRequest(Buffer.concat([json, written.body.subarray(length)]), {
        headerLength: String(json.length),
        model: MODEL,
      })
      assert.equal(read.id, 'x')
      assert.deepEqual(read.inputs.map(comparable), outputs.map(comparable))
    }),
  )
})

/** All that is no number is one. */
function comparable({ name, datatype, shape, data }: Tensor): unknown {
  const copy = new Uint8Array(data).buffer
  const values =
    datatype === 'FP32'
      ? [...new Float32Array(copy)]
      : datatype === 'FP64'
        ? [...new Float64Array(copy)]
        : [...new Uint8Array(copy)]
  return { name, datatype, shape, values }
}

test('property: bytes that are missing, or too many, are refused and never read as another tensor', () => {
  const cut = fc.tuple(
    fc.array(tensors, { minLength: 1, maxLength: 3 }),
    fc.integer({ min: -40, max: 40 }),
  )
  fc.assert(
    fc.property(cut, ([given, change]) => {
      const inputs = given.map(({ name, datatype, shape, data }) => {
        return { name, datatype, shape, parameters: { binary_data_size: data.length } }
      })
      const json = bodyOf({ inputs })
      const blob = Buffer.concat(given.map(({ data }) => data))
      const options = { headerLength: String(json.length), model: MODEL }
      const length = Math.max(0, blob.length + change)
      const sent = Buffer.concat([json, blob, Buffer.alloc(40)]).subarray(0, json.length + length)
      if (length === blob.length) {
        const read = parseInferRequest(sent, options).inputs
        assert.deepEqual(read.map(comparable), given.map(comparable))
        return
      }
      const message =
        length < blob.length
          ? /^unexpected size for input '[^]*', expecting \d+ additional bytes for model 'm'$/
          : /^unexpected additional input data for model 'm'$/
      assert.throws(() => parseInferRequest(sent, options), { code: 'INVALID_ARG', message })
    }),
  )
})

test('property: JSON with an element too few or too many is refused', () => {
  const texts = fc.array(fc.string(), { maxLength: 5 })
  const numbers = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 5 })
  const data = fc.oneof(
    texts.map((values) => ({ datatype: 'BYTES', values })),
    fc.record({ datatype: fc.constantFrom('UINT8', 'INT64', 'FP32', 'FP64'), values: numbers }),
  )
  fc.assert(
    fc.property(data, fc.integer({ min: 1, max: 9 }), ({ datatype, values }, count) => {
      fc.pre(count !== values.length)
      const inputs = [{ name: 'i', datatype, shape: [count], data: values }]
      assert.throws(() => parseInferRequest(bodyOf({ inputs }), WITHOUT_HEADER), {
        code: 'INTERNAL',
        message: "Unable to parse 'data': Shape does not match true shape of 'data' field",
      })
    }),
  )
})

test('every double of JSON is read as JavaScript reads it', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), (values) => {
      const shape = [values.length]
      const inputs = [{ name: 'i', datatype: 'FP64', shape, data: values }]
      const [input] = parseInferRequest(bodyOf({ inputs }), WITHOUT_HEADER).inputs
      const expected = JSON.parse(JSON.stringify(values)) as number[]
      assert.deepEqual([...new Float64Array(new Uint8Array(input?.data ?? []).buffer)], expected)
    }),
  )
})

test('fractions of few digits are exact', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -999_999_999, max: 999_999_999 }),
      fc.nat(8),
      (digits, places) => {
        const text = (digits / 10 ** places).toFixed(places)
        const json = `{"inputs":[{"name":"i","datatype":"FP64","shape":[1],"data":[${text}]}]}`
        const [input] = parseInferRequest(Buffer.from(json), WITHOUT_HEADER).inputs
        const [value] = new Float64Array(new Uint8Array(input?.data ?? []).buffer)
        assert.equal((value ?? 0) + 0, Number(text) + 0)
      },
    ),
  )
})

test('nothing that is sent leads to anything but a coded error', () => {
  const json = {
    id: 'a',
    parameters: { binary_data_output: true, x: 1.5 },
    inputs: [
      { name: 'i', datatype: 'INT64', shape: [2, 1], data: [[1], [-2]] },
      { name: 's', datatype: 'BYTES', shape: [1], data: ['a"\\\u00e9😀'] },
      { name: 'b', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } },
    ],
    outputs: [{ name: 'o', parameters: { classification: 2, binary_data: true } }],
  }
  const body = Buffer.concat([bodyOf(json), Buffer.from('0000803f', 'hex')])
  const changes = fc.array(fc.tuple(fc.nat(body.length - 1), fc.integer({ min: 0, max: 255 })), {
    maxLength: 4,
  })
  const lengths = fc.oneof(
    fc.constant(String(body.length - 4)),
    fc.integer().map(String),
    fc.string(),
  )
  fc.assert(
    fc.property(changes, lengths, fc.nat(body.length), (spots, headerLength, cut) => {
      const changed = Buffer.from(body)
      for (const [at, byte] of spots) changed[at] = byte
      for (const sent of [changed, changed.subarray(0, cut)]) {
        try {
          parseInferRequest(sent, { headerLength, model: MODEL })
        } catch (error) {
          assert.ok(error instanceof OipError, String(error))
        }
      }
    }),
    { numRuns: 2000 },
  )
})

test('what is announced and not sent is not allocated', () => {
  const before = process.memoryUsage().arrayBuffers
  for (const datatype of ['FP64', 'BYTES', 'BOOL']) {
    const shape = [5_000_000]
    const inputs = [{ name: 'i', datatype, shape, data: [] }]
    assert.throws(() => parseInferRequest(bodyOf({ inputs }), WITHOUT_HEADER), {
      message: "Unable to parse 'data': Shape does not match true shape of 'data' field",
    })
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000)
})

test('JSON nested too deep is refused before the stack ends', () => {
  const body = Buffer.from(`{"a":${'['.repeat(1_000_000)}`)
  assert.throws(() => parseInferRequest(body, WITHOUT_HEADER), {
    code: 'INTERNAL',
    message: /depth/,
  })
  const data = Buffer.from(`{"inputs":[{"data":${'['.repeat(1_000_000)}`)
  assert.throws(() => parseInferRequest(data, WITHOUT_HEADER), {
    code: 'INTERNAL',
    message: /depth/,
  })
})

test('JSON beyond the limit is refused', () => {
  const inputs = [
    { name: 'i', datatype: 'UINT8', shape: [40], data: Array.from({ length: 40 }, () => 1) },
  ]
  assert.throws(
    () => parseInferRequest(bodyOf({ inputs }), { ...WITHOUT_HEADER, jsonBytesMax: 100 }),
    {
      code: 'INVALID_ARG',
      message: /exceeds the maximum allowed value of 100 bytes\. Use --http-max-input-size/,
    },
  )
})
