import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  chooseDestination,
  findScopeService,
  notOfferedError,
  type Destination,
} from './aws-dispatch.ts'

interface Given {
  readonly method?: string
  readonly target?: string
  readonly scope?: string
  readonly headers?: readonly string[]
}

function choose({ method = 'POST', target = '/', scope, headers = [] }: Given): Destination {
  const authorization =
    scope === undefined
      ? []
      : [
          'Authorization',
          `AWS4-HMAC-SHA256 Credential=A/20240102/us-east-1/${scope}/aws4_request, SignedHeaders=host`,
        ]
  return chooseDestination({
    method,
    rawTarget: target,
    rawHeaders: [...headers, ...authorization],
  })
}

const FORM = ['content-type', 'application/x-www-form-urlencoded; charset=utf-8']
const target = (text: string): readonly string[] => ['X-Amz-Target', text]
const notOffered = (family: string, service: string, operation?: string): unknown => ({
  kind: 'not-offered',
  family,
  service,
  operation,
})

describe('chooseDestination', () => {
  const cases: readonly [name: string, given: Given, expected: unknown][] = [
    [
      'a control operation',
      { scope: 'sagemaker', headers: target('SageMaker.CreateModel') },
      { kind: 'sagemaker', operation: 'CreateModel' },
    ],
    [
      'an unsigned control operation',
      { headers: target('SageMaker.CreateModel') },
      { kind: 'sagemaker', operation: 'CreateModel' },
    ],
    [
      'auto scaling',
      {
        scope: 'application-autoscaling',
        headers: target('AnyScaleFrontendService.PutScalingPolicy'),
      },
      notOffered('json', 'application-autoscaling', 'PutScalingPolicy'),
    ],
    [
      'CloudWatch in JSON',
      { scope: 'monitoring', headers: target('GraniteServiceVersion20100801.PutMetricData') },
      notOffered('json', 'monitoring', 'PutMetricData'),
    ],
    [
      'CloudWatch in CBOR',
      {
        scope: 'monitoring',
        target: '/service/GraniteServiceVersion20100801/operation/PutMetricData',
      },
      notOffered('json', 'monitoring', 'PutMetricData'),
    ],
    [
      'CloudWatch in Query',
      { scope: 'monitoring', headers: FORM },
      notOffered('query', 'monitoring'),
    ],
    [
      'logs',
      { scope: 'logs', headers: target('Logs_20140328.GetLogEvents') },
      notOffered('json', 'logs', 'GetLogEvents'),
    ],
    [
      'a service nobody knows',
      { scope: 'x', headers: target('constructor.name') },
      notOffered('json', 'constructor', 'name'),
    ],
    ['STS', { scope: 'sts', headers: FORM }, { kind: 'sts' }],
    ['SNS', { scope: 'sns', headers: FORM }, notOffered('query', 'sns')],
    [
      'an invocation',
      { scope: 'sagemaker', target: '/endpoints/my-ep/invocations' },
      { kind: 'runtime', operation: 'InvokeEndpoint', endpointName: 'my-ep' },
    ],
    [
      'an unsigned invocation',
      { target: '/endpoints/my-ep/invocations' },
      { kind: 'runtime', operation: 'InvokeEndpoint', endpointName: 'my-ep' },
    ],
    [
      'a streaming invocation',
      { scope: 'sagemaker', target: '/endpoints/a%20b/invocations-response-stream?x=1' },
      { kind: 'runtime', operation: 'InvokeEndpointWithResponseStream', endpointName: 'a b' },
    ],
    [
      'an asynchronous invocation',
      { scope: 'sagemaker', target: '/endpoints/e/async-invocations' },
      notOffered('rest-json', 'sagemaker', 'InvokeEndpointAsync'),
    ],
    [
      'an object in a bucket called endpoints',
      { method: 'POST', scope: 's3', target: '/endpoints/my-ep/invocations' },
      { kind: 's3' },
    ],
    ['an upload', { method: 'PUT', scope: 's3', target: '/b/k' }, { kind: 's3' }],
    ['an unsigned download', { method: 'GET', target: '/b/k' }, { kind: 's3' }],
    ['a form posted to S3', { scope: 's3', headers: FORM }, { kind: 's3' }],
    [
      "Berth's own API",
      { method: 'GET', scope: 'sagemaker', target: '/berth/v1/platform' },
      { kind: 'berth', path: '/berth/v1/platform' },
    ],
    [
      'an object in a bucket called berth',
      { method: 'GET', scope: 's3', target: '/berth/health' },
      { kind: 's3' },
    ],
    [
      'a health probe',
      { method: 'GET', target: '/berth/health' },
      { kind: 'health', path: '/berth/health' },
    ],
    [
      'a readiness probe',
      { method: 'HEAD', target: '/berth/ready' },
      { kind: 'health', path: '/berth/ready' },
    ],
    [
      'not quite a health probe',
      { method: 'GET', target: '/berth/healthy' },
      { kind: 'berth', path: '/berth/healthy' },
    ],
    ['a control request without target', { scope: 'sagemaker' }, notOffered('json', 'sagemaker')],
    [
      'a runtime path that does not exist',
      { scope: 'sagemaker', target: '/endpoints/e/invocations/x' },
      notOffered('rest-json', 'sagemaker'),
    ],
    [
      'a read of an invocation path',
      { method: 'GET', scope: 'sagemaker', target: '/endpoints/e/invocations' },
      notOffered('rest-json', 'sagemaker'),
    ],
  ]
  for (const [name, given, expected] of cases) {
    it(`sends ${name} where it belongs`, () => assert.deepEqual(choose(given), expected))
  }
})

describe('findScopeService', () => {
  const cases: readonly [target: string, service: string | undefined][] = [
    ['/b/k?X-Amz-Credential=A%2F20240102%2Fus-east-1%2Fs3%2Faws4_request', 's3'],
    ['/b/k?AWSAccessKeyId=A&Signature=b&Expires=1', 's3'],
    ['/b/k?prefix=X-Amz-Credential', undefined],
  ]
  for (const [rawTarget, service] of cases) {
    it(`reads ${String(service)} from ${rawTarget}`, () => {
      assert.equal(findScopeService({ method: 'GET', rawTarget, rawHeaders: [] }), service)
    })
  }
})

describe('notOfferedError', () => {
  it("uses each protocol's own code", () => {
    const of = (family: 'json' | 'query'): string =>
      notOfferedError({ kind: 'not-offered', family, service: 's', operation: 'O' }).code
    assert.equal(of('json'), 'UnknownOperationException')
    assert.equal(of('query'), 'InvalidAction')
  })
})
