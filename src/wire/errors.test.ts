import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BerthError } from '../domain/errors.ts'
import type { AuthFailureKind } from './auth-types.ts'
import { authError, type ProtocolFamily } from './auth-errors.ts'
import { encodeError, toBerthError } from './errors.ts'
import { modelError, type ContainerFailure } from './model-error.ts'

describe('errors on the wire', () => {
  const denied = new BerthError('AccessDeniedException', 'No.')

  it('of JSON services carry the code in the body and answer 400 for every fault of the caller', () => {
    const reply = encodeError('json', denied, 'r-1')
    assert.equal(reply.status, 400)
    assert.equal(reply.headers['x-amzn-RequestId'], 'r-1')
    assert.equal(reply.headers['Content-Type'], 'application/x-amz-json-1.1')
    assert.deepEqual(JSON.parse(reply.body), {
      __type: 'AccessDeniedException',
      message: 'No.',
      Message: 'No.',
    })
    assert.equal(encodeError('json', new BerthError('InternalFailure', 'x'), 'r').status, 500)
    assert.equal(encodeError('json', new BerthError('ServiceUnavailable', 'x'), 'r').status, 503)
  })

  it('of the runtime carry the code in a header', () => {
    const reply = encodeError('rest-json', denied, 'r-1')
    assert.equal(reply.status, 403)
    assert.equal(reply.headers['x-amzn-ErrorType'], 'AccessDeniedException')
    assert.equal(reply.body, '{"Message":"No."}')
  })

  it('of Query services are XML with their own names', () => {
    const reply = encodeError('query', new BerthError('ValidationException', 'a < b & c'), 'r-1')
    assert.equal(reply.status, 400)
    assert.equal(
      reply.body,
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ValidationError</Code><Message>a &lt; b &amp; c</Message></Error><RequestId>r-1</RequestId></ErrorResponse>',
    )
  })

  it('do not show a bug, only its id', () => {
    const error = toBerthError(new TypeError('/root/secret is not a function'), 'e-7')
    assert.equal(error.code, 'InternalFailure')
    assert.equal(error.message, 'An internal error occurred. Error id: e-7.')
    assert.equal(toBerthError(denied, 'e-8'), denied)
  })

  it('say an unsigned invocation as the service does', () => {
    const failure = { kind: 'missing', message: 'Missing Authentication Token' } as const
    const reply = encodeError('rest-json', authError(failure, 'rest-json'), 'r')
    assert.equal(reply.status, 403)
    assert.equal(reply.headers['x-amzn-ErrorType'], 'MissingAuthenticationTokenException')
    assert.equal(reply.body, '{"message":"Missing Authentication Token"}')
  })
})

describe('authError', () => {
  const cases: readonly [
    kind: AuthFailureKind,
    family: ProtocolFamily,
    code: string,
    status: number,
  ][] = [
    ['missing', 'json', 'MissingAuthenticationTokenException', 400],
    ['missing', 'query', 'MissingAuthenticationToken', 403],
    ['missing', 's3', 'AccessDenied', 403],
    ['malformed', 'json', 'IncompleteSignatureException', 400],
    ['malformed', 'query', 'IncompleteSignature', 400],
    ['malformed', 's3', 'AuthorizationHeaderMalformed', 400],
    ['unknown-key', 'json', 'UnrecognizedClientException', 400],
    ['unknown-key', 'rest-json', 'UnrecognizedClientException', 403],
    ['unknown-key', 'query', 'InvalidClientTokenId', 403],
    ['unknown-key', 's3', 'InvalidAccessKeyId', 403],
    ['bad-signature', 'json', 'InvalidSignatureException', 400],
    ['bad-signature', 'rest-json', 'InvalidSignatureException', 403],
    ['bad-signature', 'query', 'SignatureDoesNotMatch', 403],
    ['bad-signature', 's3', 'SignatureDoesNotMatch', 403],
    ['expired', 'json', 'InvalidSignatureException', 400],
    ['expired', 's3', 'RequestTimeTooSkewed', 403],
    ['token-expired', 'json', 'ExpiredTokenException', 400],
    ['token-expired', 'query', 'ExpiredToken', 403],
    ['token-expired', 's3', 'ExpiredToken', 400],
    ['bad-token', 's3', 'InvalidToken', 400],
    ['presign-expired', 's3', 'AccessDenied', 403],
  ]
  for (const [kind, family, code, httpStatus] of cases) {
    it(`says ${kind} as ${code} ${httpStatus} in ${family}`, () => {
      const error = authError({ kind, message: 'm' }, family)
      assert.deepEqual({ code: error.code, httpStatus: error.httpStatus }, { code, httpStatus })
    })
  }
})

describe('modelError', () => {
  const place = {
    region: 'us-east-1',
    accountId: '000000000000',
    endpointName: 'ep',
    containerName: 'primary',
  }
  const tail =
    '. See https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logEventViewer:group=/aws/sagemaker/Endpoints/ep in account 000000000000 for more information.'

  it('has the body that the service writes', () => {
    const reply = encodeError(
      'rest-json',
      modelError({ kind: 'status', status: 404, body: 'no "x"' }, place),
      'r',
    )
    assert.equal(reply.status, 424)
    assert.equal(reply.headers['x-amzn-ErrorType'], 'ModelError')
    assert.equal(
      reply.body,
      JSON.stringify({
        ErrorCode: 'CLIENT_ERROR_FROM_MODEL',
        LogStreamArn: 'arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/ep',
        Message: `Received client error (404) from primary with message "no "x""${tail}`,
        OriginalMessage: 'no "x"',
        OriginalStatusCode: 404,
      }),
    )
  })

  const cases: readonly [failure: ContainerFailure, errorCode: string, head: string][] = [
    [
      { kind: 'status', status: 500, body: 'b' },
      'INTERNAL_FAILURE_FROM_MODEL',
      'Received server error (500) from primary with message "b"',
    ],
    [
      { kind: 'status', status: 302, body: '' },
      'CLIENT_ERROR_FROM_MODEL',
      'Received client error (302) from primary with message ""',
    ],
    [
      { kind: 'status-without-body', status: 400 },
      'CLIENT_ERROR_FROM_MODEL',
      'Received client error (400) from primary and could not load the entire response body',
    ],
    [
      { kind: 'timed-out' },
      'INTERNAL_FAILURE_FROM_MODEL',
      'Received server error (0) from primary with message "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."',
    ],
    [
      { kind: 'broken' },
      'INTERNAL_FAILURE_FROM_MODEL',
      'Received server error (0) from primary with message "An error occurred while handling request as the model process exited."',
    ],
  ]
  for (const [failure, errorCode, head] of cases) {
    it(`says ${JSON.stringify(failure)}`, () => {
      const error = modelError(failure, place)
      assert.equal(error.message, head + tail)
      assert.equal(error.members['ErrorCode'], errorCode)
    })
  }
})
