import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RUNTIME_CONSTRAINTS } from './constraints.ts'
import { containerHeaders, parseInvocationHead } from './runtime-request.ts'
import { invocationHeaders, streamHeaders } from './runtime-response.ts'
import { findViolations, validationMessage } from './validate.ts'

const HEADERS = [
  'Host',
  'localhost',
  'Content-Type',
  'text/csv',
  'Accept',
  'application/json',
  'Authorization',
  'secret',
  'Cookie',
  'secret',
  'X-Amzn-SageMaker-Custom-Attributes',
  'trace=1',
  'X-Amzn-SageMaker-Target-Variant',
  'blue',
  'X-Amzn-SageMaker-Target-Model',
  'm.tar.gz',
  'X-Amzn-SageMaker-Enable-Explanations',
  '`true`',
  'X-Amzn-SageMaker-Accept',
  'text/plain',
]

describe('parseInvocationHead', () => {
  it('reads the headers of InvokeEndpoint', () => {
    assert.deepEqual(parseInvocationHead('InvokeEndpoint', 'ep', HEADERS), {
      operation: 'InvokeEndpoint',
      endpointName: 'ep',
      contentType: 'text/csv',
      accept: 'application/json',
      customAttributes: 'trace=1',
      targetModel: 'm.tar.gz',
      targetVariant: 'blue',
      targetContainerHostname: undefined,
      inferenceId: undefined,
      graphDepth: undefined,
      inferenceComponentName: undefined,
      sessionId: undefined,
      enableExplanations: '`true`',
    })
  })

  it('takes Accept of the streaming form from its own header, and no target model', () => {
    const head = parseInvocationHead('InvokeEndpointWithResponseStream', 'ep', HEADERS)
    assert.equal(head.accept, 'text/plain')
    assert.equal(head.targetModel, undefined)
    assert.equal(head.enableExplanations, undefined)
  })

  const refused: readonly [given: string, name: string, headers: string[], message: RegExp][] = [
    [
      'a name with a blank',
      'a b',
      [],
      /^1 validation error detected: Value 'a b' at 'endpointName' failed to satisfy constraint: Member must satisfy regular expression pattern/,
    ],
    ['an empty name', '', [], /'endpointName'/],
    [
      'a long variant',
      'ep',
      ['X-Amzn-SageMaker-Target-Variant', 'v'.repeat(64)],
      /at 'targetVariant' .*length less than or equal to 63/,
    ],
    ['a long content type', 'ep', ['content-type', 't'.repeat(1025)], /at 'contentType'/],
    [
      'attributes that are not ASCII',
      'ep',
      ['x-amzn-sagemaker-custom-attributes', 'é'],
      /at 'customAttributes'/,
    ],
    [
      'an inference id with a leading blank',
      'ep',
      ['x-amzn-sagemaker-inference-id', ' x'],
      /at 'inferenceId'/,
    ],
    [
      'two target variants',
      'ep',
      ['x-amzn-sagemaker-target-variant', 'a', 'X-Amzn-SageMaker-Target-Variant', 'b'],
      /must not be repeated/,
    ],
  ]
  for (const [given, name, headers, message] of refused) {
    it(`refuses ${given}`, () => {
      assert.throws(() => parseInvocationHead('InvokeEndpoint', name, headers), {
        code: 'ValidationError',
        message,
      })
    })
  }

  it('does not let a stream start a session', () => {
    const headers = ['X-Amzn-SageMaker-Session-Id', 'NEW_SESSION']
    assert.equal(parseInvocationHead('InvokeEndpoint', 'ep', headers).sessionId, 'NEW_SESSION')
    assert.throws(() => parseInvocationHead('InvokeEndpointWithResponseStream', 'ep', headers))
  })
})

describe('the quick look at an invocation', () => {
  const operations = ['InvokeEndpoint', 'InvokeEndpointWithResponseStream'] as const
  const text = fc.oneof(
    fc.string({ maxLength: 70 }),
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.stringMatching(/^[a-zA-Z0-9 -]{0,70}$/),
    fc.constantFrom('NEW_SESSION', 'a'.repeat(256), 'a'.repeat(257), 'a'.repeat(1025), ''),
  )
  const member = fc.constantFrom(
    ...Object.entries(RUNTIME_CONSTRAINTS.shapes['InvokeEndpointInput']?.members ?? {}),
  )

  it('agrees with the general validator', () => {
    fc.assert(
      fc.property(fc.constantFrom(...operations), member, text, (operation, given, value) => {
        const [name, { location, locationName = '' }] = given
        const shape = RUNTIME_CONSTRAINTS.shapes[`${operation}Input`]
        const own = shape?.members?.[name]
        const isName = location === 'uri'
        const isRead = isName || own?.locationName === locationName
        const input = { EndpointName: 'ep', Body: '', ...(isRead ? { [name]: value } : {}) }
        const shapeName = `${operation}Input`
        const expected = findViolations(shapeName, input, undefined, RUNTIME_CONSTRAINTS)
        const parse = () =>
          parseInvocationHead(operation, isName ? value : 'ep', isName ? [] : [locationName, value])
        if (location === undefined || expected.length === 0) parse()
        else assert.throws(parse, { code: 'ValidationError', message: validationMessage(expected) })
      }),
      { numRuns: 2000 },
    )
  })
})

describe('containerHeaders', () => {
  it('pass on what belongs to the model and nothing else', () => {
    assert.deepEqual(
      containerHeaders(parseInvocationHead('InvokeEndpoint', 'ep', HEADERS), 'r-1'),
      {
        'Content-Type': 'text/csv',
        Accept: 'application/json',
        'X-Amzn-SageMaker-Custom-Attributes': 'trace=1',
        'X-Amzn-SageMaker-Target-Model': 'm.tar.gz',
        'X-Amzn-SageMaker-Target-Variant': 'blue',
        'X-Amzn-SageMaker-Inference-Id': 'r-1',
        'X-Amzn-SageMaker-Forwarded-Api': 'InvokeEndpoint',
      },
    )
  })
})

describe('reply headers', () => {
  const reply = {
    requestId: 'r-1',
    variantName: 'blue',
    contentType: 'text/csv; charset=utf-8',
    customAttributes: undefined,
  }

  it("carry the variant and the container's content type", () => {
    assert.deepEqual(invocationHeaders(reply), {
      'x-amzn-RequestId': 'r-1',
      'x-Amzn-Invoked-Production-Variant': 'blue',
      'Content-Type': 'text/csv; charset=utf-8',
    })
  })

  it('of a stream move the content type aside', () => {
    assert.deepEqual(streamHeaders({ ...reply, customAttributes: 'c' }), {
      'x-amzn-RequestId': 'r-1',
      'x-Amzn-Invoked-Production-Variant': 'blue',
      'Content-Type': 'application/vnd.amazon.eventstream',
      'X-Amzn-SageMaker-Content-Type': 'text/csv; charset=utf-8',
      'X-Amzn-SageMaker-Custom-Attributes': 'c',
    })
  })
})
