import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CONTROL_CONSTRAINTS, matchesPattern, RUNTIME_CONSTRAINTS } from './constraints.ts'
import { listOfferedOperations } from './operations.ts'
import { assertValid, findViolations, isLocalInstanceType, validationMessage } from './validate.ts'

const NAME_PATTERN = '[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}'

function messageOf(operation: string, input: unknown): string {
  const shape = CONTROL_CONSTRAINTS.operations[operation] ?? ''
  return validationMessage(findViolations(shape, input))
}

const variant = (overrides: object): object => ({
  EndpointConfigName: 'c',
  ProductionVariants: [{ VariantName: 'v', ...overrides }],
})

describe('validation messages', () => {
  const cases: readonly [operation: string, input: unknown, message: string][] = [
    [
      'CreateModel',
      {},
      "1 validation error detected: Value null at 'modelName' failed to satisfy constraint: Member must not be null",
    ],
    [
      'DescribeEndpoint',
      { EndpointName: '-'.repeat(64) },
      `2 validation errors detected: Value '${'-'.repeat(64)}' at 'endpointName' failed to satisfy constraint: Member must have length less than or equal to 63; Value '${'-'.repeat(64)}' at 'endpointName' failed to satisfy constraint: Member must satisfy regular expression pattern: ${NAME_PATTERN}`,
    ],
    [
      'DescribeEndpoint',
      { EndpointName: '' },
      `1 validation error detected: Value '' at 'endpointName' failed to satisfy constraint: Member must satisfy regular expression pattern: ${NAME_PATTERN}`,
    ],
    [
      'CreateEndpointConfig',
      variant({ InitialInstanceCount: 0 }),
      "1 validation error detected: Value '0' at 'productionVariants.1.member.initialInstanceCount' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ],
    [
      'CreateEndpointConfig',
      variant({ InitialVariantWeight: -0.5 }),
      "1 validation error detected: Value '-0.5' at 'productionVariants.1.member.initialVariantWeight' failed to satisfy constraint: Member must have value greater than or equal to 0",
    ],
    [
      'CreateEndpointConfig',
      { EndpointConfigName: 'c', ProductionVariants: [] },
      "1 validation error detected: Value '[]' at 'productionVariants' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      'ListModels',
      { MaxResults: 101 },
      "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100",
    ],
    [
      'ListModels',
      { SortBy: 'Size' },
      "1 validation error detected: Value 'Size' at 'sortBy' failed to satisfy constraint: Member must satisfy enum value set: [Name, CreationTime]",
    ],
    [
      'CreateModel',
      { ModelName: 'm', PrimaryContainer: { Environment: { '1A': 'x' } } },
      "1 validation error detected: Value '{1A=x}' at 'primaryContainer.environment' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*]",
    ],
  ]
  for (const [operation, input, message] of cases) {
    it(`of ${operation} ${JSON.stringify(input)}`, () =>
      assert.equal(messageOf(operation, input), message))
  }

  it('name the enum set of an instance type', () => {
    const message = messageOf('CreateEndpointConfig', variant({ InstanceType: 'ml.t3.medium' }))
    assert.match(
      message,
      /^1 validation error detected: Value 'ml\.t3\.medium' at 'productionVariants\.1\.member\.instanceType' failed to satisfy constraint: Member must satisfy enum value set: \[ml\.t2\.medium, /,
    )
  })

  it('do not grow with the number or size of mistakes', () => {
    const keys = Array.from({ length: 5000 }, () => '!'.repeat(200))
    const input = { ResourceArn: 'x'.repeat(1_000_000), TagKeys: keys }
    assert.ok(messageOf('DeleteTags', input).length < 100_000)
  })
})

describe('assertValid', () => {
  it('accepts what the service accepts', () => {
    assertValid('CreateModel', {
      ModelName: 'Digits-1',
      ExecutionRoleArn: 'arn:aws:iam::000000000000:role/berth',
      PrimaryContainer: {
        Image: 'berth/onnx',
        ModelDataUrl: 's3://bucket/a b/model.tar.gz',
        Environment: { KEY: 'any\nthing' },
      },
      Tags: [{ Key: 'team', Value: 'Füße 日本' }],
    })
    assertValid('ListModels', { CreationTimeAfter: new Date() })
  })

  it('throws a ValidationException', () => {
    assert.throws(() => assertValid('DeleteModel', {}), { code: 'ValidationException' })
  })

  it("accepts the operator's own instance types only where it is told to", () => {
    const input = variant({ InstanceType: 'local.big' })
    assert.throws(() => assertValid('CreateEndpointConfig', input))
    assertValid('CreateEndpointConfig', input, isLocalInstanceType)
    assert.throws(() =>
      assertValid('CreateEndpointConfig', variant({ InstanceType: 'local.' }), isLocalInstanceType),
    )
  })

  it('knows every operation that is offered', () => {
    for (const name of listOfferedOperations())
      assert.ok(name in CONTROL_CONSTRAINTS.operations, name)
  })
})

describe('patterns', () => {
  const tables = { ...CONTROL_CONSTRAINTS.shapes, ...RUNTIME_CONSTRAINTS.shapes }
  const withPattern = Object.entries(tables).filter(([, shape]) => shape.pattern !== undefined)

  it('all compile', () => {
    for (const [, shape] of withPattern) matchesPattern(shape, 'x')
  })

  it('refuse an empty name, which newer models allow by length', () => {
    for (const [name, shape] of withPattern) {
      if (/(Endpoint|EndpointConfig|Model|Variant)Name$/.test(name)) {
        assert.equal(matchesPattern(shape, ''), false, name)
      }
    }
  })

  it('cover the whole value', () => {
    const shape = CONTROL_CONSTRAINTS.shapes['EndpointName'] ?? { type: 'string' }
    for (const text of ['a b', 'a\n', ' a', 'a-', '-a', 'a_b']) {
      assert.equal(matchesPattern(shape, text), false, JSON.stringify(text))
    }
    assert.equal(matchesPattern(shape, 'a--B9'), true)
  })

  it('answer in time for any text', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a', '-', 'a-', '/', 's3://', '='),
        fc.constantFrom('!', ''),
        (part, tail) => {
          const text = part.repeat(3000) + tail
          for (const [, shape] of withPattern) matchesPattern(shape, text)
        },
      ),
      { numRuns: 12, timeout: 2000 },
    )
  })
})
