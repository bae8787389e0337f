import assert from 'node:assert/strict'

import { holds } from './case.ts'
import type { Case, Expectation, Output, Step } from './case.ts'

/** Invocations of a live endpoint, and who the caller is. */
export const invocationCases: readonly Case[] = [
  {
    name: 'an invocation brings body, content type and variant back',
    steps: ({ liveEndpoint }) => [
      invoke(liveEndpoint, { ContentType: 'text/csv; charset=utf-8' }, '1,2,3', {
        output: (output) => {
          assert.equal(bodyText(output), '1,2,3')
          assert.equal(output['ContentType'], 'text/csv; charset=utf-8')
          assert.equal(output['InvokedProductionVariant'], 'blue')
        },
      }),
    ],
  },
  {
    name: 'a variant of weight 0 answers when it is named',
    steps: ({ liveEndpoint }) => [
      invoke(
        liveEndpoint,
        { TargetVariant: 'green' },
        'x',
        holds({ InvokedProductionVariant: 'green' }),
      ),
      invoke(liveEndpoint, { TargetVariant: 'purple' }, 'x', {
        code: 'ValidationError',
        message: /purple/,
      }),
    ],
  },
  {
    name: "a container's own failure is a ModelError with its status and message, and one that died comes back",
    steps: ({ liveEndpoint }) => [
      invoke(liveEndpoint, { CustomAttributes: 'status=404' }, 'not here', {
        code: 'ModelError',
        message: /^Received client error \(404\) from primary with message ".*"\. See https:\/\//,
      }),
      invoke(liveEndpoint, { CustomAttributes: 'status=500' }, 'broken', {
        code: 'ModelError',
        message: /^Received server error \(500\) from primary with message "/,
      }),
      invoke(liveEndpoint, { CustomAttributes: 'exit=1' }, 'die', {
        code: 'ModelError',
        message: /^Received server error \(0\) from primary/,
      }),
      {
        ...invoke(liveEndpoint, {}, 'back', holds({ InvokedProductionVariant: 'blue' })),
        whileCode: 'ServiceUnavailable',
      },
    ],
  },
  {
    name: 'an unknown endpoint is not found, whatever the case of its name',
    steps: ({ liveEndpoint }) => [
      invoke('nowhere', {}, 'x', {
        code: 'ValidationError',
        message: /^Endpoint nowhere of account 000000000000 not found\.$/,
      }),
      invoke(liveEndpoint.toUpperCase(), {}, 'x', {
        code: 'ValidationError',
        message: /not found\.$/,
      }),
    ],
  },
  {
    name: 'a target model on a plain endpoint is refused',
    steps: ({ liveEndpoint }) => [
      invoke(liveEndpoint, { TargetModel: 'a.tar.gz' }, 'x', {
        code: 'ValidationError',
        message: /is not a multi-model endpoint and does not support target model header\.$/,
      }),
    ],
  },
  {
    name: 'a response stream carries every byte in order',
    steps: ({ liveEndpoint }) => [
      {
        service: 'sagemaker-runtime',
        operation: 'InvokeEndpointWithResponseStream',
        input: {
          EndpointName: liveEndpoint,
          Body: base64('abcdefghij'),
          CustomAttributes: 'chunks=5;chunk-delay-ms=5',
          ContentType: 'text/plain',
        },
        expect: {
          output: (output) => {
            assert.match(bodyText(output), /abcdefghij/)
            assert.equal(output['InvokedProductionVariant'], 'blue')
          },
        },
      },
    ],
    notFor: { cli: 'the AWS CLI has no command for event streams' },
  },
  {
    name: 'the caller is the root of the account, or the role it assumed',
    steps: () => [
      {
        service: 'sts',
        operation: 'GetCallerIdentity',
        input: {},
        expect: holds({ Account: '000000000000', Arn: 'arn:aws:iam::000000000000:root' }),
      },
      {
        service: 'sts',
        operation: 'AssumeRole',
        input: { RoleArn: 'arn:aws:iam::000000000000:role/tester', RoleSessionName: 'session-1' },
        expect: {
          output: (output) =>
            assert.partialDeepStrictEqual(output, {
              AssumedRoleUser: { Arn: 'arn:aws:sts::000000000000:assumed-role/tester/session-1' },
            }),
        },
      },
      {
        service: 'sts',
        operation: 'AssumeRole',
        input: { RoleArn: 'arn:aws:iam::000000000000:role/tester', RoleSessionName: 'a b' },
        expect: { code: 'ValidationError', message: /roleSessionName/ },
      },
    ],
  },
]

/** Calls an endpoint. */
export function invoke(
  endpointName: string,
  more: Output,
  body: string,
  expect: Expectation,
): Step {
  return {
    service: 'sagemaker-runtime',
    operation: 'InvokeEndpoint',
    input: { EndpointName: endpointName, Body: base64(body), ...more },
    expect,
  }
}

function base64(value: string): { readonly base64: string } {
  return { base64: Buffer.from(value).toString('base64') }
}

/** The body of an answer, as text. */
export function bodyText(output: Output): string {
  return Buffer.from((output['Body'] as { base64: string }).base64, 'base64').toString()
}
