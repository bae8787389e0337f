import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as sdk from '@aws-sdk/client-sagemaker'
import { JsonCodec } from '@aws-sdk/core/protocols'
import fc from 'fast-check'
import { encodeJsonOutput, parseJsonInput } from './aws-json.ts'
import { findShape } from './aws-shapes.ts'
import { findOperation, listOfferedOperations, operationShapes } from './operations.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const parse = (operation: string, value: unknown): unknown =>
  parseJsonInput(operation, bytes(JSON.stringify(value)))

describe('parseJsonInput', () => {
  it('turns epoch seconds into dates and drops what the operation does not have', () => {
    assert.deepEqual(
      parse('ListModels', { CreationTimeAfter: 1704164645.678, NameContains: null, Newer: [1] }),
      { CreationTimeAfter: new Date(1_704_164_645_678) },
    )
  })

  it('drops null elements of lists and null values of maps', () => {
    assert.deepEqual(
      parse('CreateModel', {
        PrimaryContainer: { Environment: { A: 'b', C: null } },
        Tags: [null, { Key: 'k', Value: 'v' }],
      }),
      { PrimaryContainer: { Environment: { A: 'b' } }, Tags: [{ Key: 'k', Value: 'v' }] },
    )
  })

  it('keeps a map key that names the prototype as a key', () => {
    const body = bytes('{"PrimaryContainer":{"Environment":{"__proto__":"x"}}}')
    const input = parseJsonInput('CreateModel', body) as {
      PrimaryContainer: { Environment: Record<string, string> }
    }
    assert.deepEqual(Object.entries(input.PrimaryContainer.Environment), [['__proto__', 'x']])
  })

  const wrong: readonly [given: unknown, operation: string, message: string][] = [
    [
      { ModelName: 1 },
      'CreateModel',
      "NUMBER_VALUE can not be converted to a String at 'modelName'",
    ],
    [
      { ModelName: true },
      'CreateModel',
      "TRUE_VALUE can not be converted to a String at 'modelName'",
    ],
    [
      { ModelName: {} },
      'CreateModel',
      "Start of structure or map found where not expected at 'modelName'",
    ],
    [{ Containers: 'x' }, 'CreateModel', "Expected list or null at 'containers'"],
    [{ Containers: ['x'] }, 'CreateModel', "Expected structure or null at 'containers.1.member'"],
    [
      { PrimaryContainer: [] },
      'CreateModel',
      "Start of list found where not expected at 'primaryContainer'",
    ],
    [
      { EnableNetworkIsolation: 'true' },
      'CreateModel',
      "STRING_VALUE can not be converted to a Boolean at 'enableNetworkIsolation'",
    ],
    [
      { MaxResults: '5' },
      'ListModels',
      "STRING_VALUE can not be converted to an Integer at 'maxResults'",
    ],
    [
      { MaxResults: 1.5 },
      'ListModels',
      "NUMBER_VALUE can not be converted to an Integer at 'maxResults'",
    ],
    [
      { CreationTimeAfter: '2024-01-02' },
      'ListModels',
      "STRING_VALUE can not be converted to milliseconds since epoch at 'creationTimeAfter'",
    ],
    [
      { CreationTimeAfter: 1e300 },
      'ListModels',
      "NUMBER_VALUE can not be converted to milliseconds since epoch at 'creationTimeAfter'",
    ],
    [[], 'ListModels', 'The body must be one JSON object.'],
    [null, 'ListModels', 'The body must be one JSON object.'],
  ]
  for (const [given, operation, message] of wrong) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      assert.throws(() => parse(operation, given), { code: 'SerializationException', message })
    })
  }

  it('refuses what is not JSON or not UTF-8', () => {
    for (const body of [
      bytes(''),
      bytes('{'),
      bytes('ModelName=x'),
      Uint8Array.of(0x22, 0xff, 0x22),
    ]) {
      assert.throws(() => parseJsonInput('ListModels', body), { code: 'SerializationException' })
    }
  })
})

describe('encodeJsonOutput', () => {
  it('writes dates as epoch seconds with milliseconds and leaves undefined out', () => {
    const text = encodeJsonOutput('DescribeEndpoint', {
      EndpointName: 'e',
      CreationTime: new Date(1_704_164_645_678),
      FailureReason: undefined,
      ProductionVariants: [{ VariantName: 'v', CurrentWeight: 1 }],
    })
    assert.equal(
      text,
      '{"EndpointName":"e","CreationTime":1704164645.678,"ProductionVariants":[{"VariantName":"v","CurrentWeight":1}]}',
    )
  })

  it('writes nothing for an operation without output, and an empty object for an empty output', () => {
    assert.equal(encodeJsonOutput('DeleteModel', undefined), '')
    assert.equal(encodeJsonOutput('DeleteTags', {}), '{}')
  })

  it('does not write a value that clients could not read', () => {
    assert.throws(() => encodeJsonOutput('DescribeEndpoint', { CreationTime: 1704164645 }))
    assert.throws(() =>
      encodeJsonOutput('DescribeEndpoint', { ProductionVariants: [{ CurrentWeight: Number.NaN }] }),
    )
  })
})

describe('operations', () => {
  it('tells offered, not offered and unknown apart', () => {
    assert.equal(findOperation('CreateModel'), 'offered')
    assert.equal(findOperation('CreateTransformJob'), 'not-offered')
    assert.equal(findOperation('createModel'), 'unknown')
    assert.equal(findOperation('constructor'), 'unknown')
  })
})

/** Any value of a shape, every member present or not. */
function valueOf(name: string): fc.Arbitrary<unknown> {
  const shape = findShape(name)
  switch (shape.type) {
    case 'structure': {
      const members = Object.entries(shape.members).map(([member, type]) => [member, valueOf(type)])
      return fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>, {
        requiredKeys: [],
        noNullPrototype: true,
      })
    }
    case 'list':
      return fc.array(valueOf(shape.of), { maxLength: 2 })
    case 'map':
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), valueOf(shape.of), {
        maxKeys: 2,
        noNullPrototype: true,
      })
    case 'string':
      return fc.string({ maxLength: 6 })
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.integer()
    case 'number':
      return fc.integer({ min: -1000, max: 1000 }).map((value) => value / 8)
    case 'timestamp':
      return fc.integer({ min: 0, max: 4e12 }).map((epochMs) => new Date(epochMs))
  }
}

describe("agreement with the SDK's own codec", () => {
  const codec = new JsonCodec({ jsonName: false, timestampFormat: { useTrait: true, default: 7 } })
  const schemas = sdk as unknown as Record<string, readonly unknown[]>
  for (const operation of listOfferedOperations()) {
    const { input, output } = operationShapes(operation)
    it(`reads ${input} as the SDK writes it`, () => {
      fc.assert(
        fc.property(valueOf(input), (value) => {
          const serializer = codec.createSerializer()
          serializer.write(schemas[`${input}$`] as never, value)
          assert.deepEqual(parseJsonInput(operation, bytes(String(serializer.flush()))), value)
        }),
        { numRuns: 15 },
      )
    })
    if (output === null) continue
    it(`writes ${output} as the SDK reads it`, async () => {
      const deserializer = codec.createDeserializer()
      await fc.assert(
        fc.asyncProperty(valueOf(output), async (value) => {
          const text = encodeJsonOutput(operation, value)
          const read: unknown = await deserializer.read(schemas[`${output}$`] as never, text)
          assert.deepEqual(read, value)
        }),
        { numRuns: 15 },
      )
    })
  }
})
