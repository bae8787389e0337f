import assert from 'node:assert/strict'

import { createModel, holds, refused } from './case.ts'
import type { Input } from '../clients/client.ts'
import type { Case, Step } from './case.ts'
import { bodyText, invoke } from './invocations.ts'

/** Containers of a model that callers name, or that follow each other. */
export const SEVERAL_CONTAINERS = ['clean', 'score'].map((ContainerHostname) => {
  return { ContainerHostname, Image: 'berth/echo' }
})

/** Models of several containers: called by name, and one after the other. */
export const severalContainersCases: readonly Case[] = [
  {
    name: 'of several containers, the one that is named answers',
    steps: ({ directEndpoint }) => [
      invoke(directEndpoint, { TargetContainerHostname: 'score' }, 'abc', {
        output: (output) => assert.equal(bodyText(output), 'abc'),
      }),
      invoke(
        directEndpoint,
        { TargetContainerHostname: 'score', CustomAttributes: 'status=422' },
        'abc',
        {
          code: 'ModelError',
          message: /^Received client error \(422\) from score with message "/,
        },
      ),
      invoke(directEndpoint, {}, 'abc', {
        code: 'ValidationError',
        message: /requires target container hostname header: one of clean, score\.$/,
      }),
      invoke(directEndpoint, { TargetContainerHostname: 'label' }, 'abc', {
        code: 'ValidationError',
        message: /has no container label; it has clean, score\.$/,
      }),
    ],
  },
  {
    name: 'of several containers, each takes what the one before answered',
    steps: ({ serialEndpoint }) => [
      // Each shows what it was given: to the last, that is what the first has shown.
      invoke(
        serialEndpoint,
        { ContentType: 'text/csv', Accept: 'text/wanted', CustomAttributes: 'headers=1' },
        'abc',
        {
          output: (output) => {
            const { headers } = JSON.parse(bodyText(output)) as { headers: Input }
            assert.equal(headers['content-type'], 'application/json')
            assert.equal(headers['accept'], 'text/wanted')
            assert.equal(output['InvokedProductionVariant'], 'AllTraffic')
          },
        },
      ),
      invoke(serialEndpoint, { CustomAttributes: 'status=404' }, 'abc', {
        code: 'ModelError',
        message: /^Received client error \(404\) from clean with message "/,
      }),
      invoke(serialEndpoint, { CustomAttributes: 'size=6000000' }, 'abc', {
        code: 'ModelError',
        message:
          /^Received response from clean with status code 200\. However, the request payload from clean to score is 6000000 bytes, which has exceeded the maximum limit of 5 MB\./,
      }),
    ],
  },
  {
    name: 'containers are described as they were given, and refused when they cannot be told apart',
    steps: ({ prefix }) => {
      const [clean] = SEVERAL_CONTAINERS
      const direct = (Containers: Input[string]): Input => {
        return { PrimaryContainer: undefined, Containers, InferenceExecutionConfig }
      }
      const wrong = (Containers: Input[string], message: RegExp): Step => {
        return { ...createModel(`${prefix}-wrong`, direct(Containers)), expect: refused(message) }
      }
      return [
        createModel(`${prefix}-direct`, direct(SEVERAL_CONTAINERS)),
        {
          operation: 'DescribeModel',
          input: { ModelName: `${prefix}-direct` },
          expect: holds({ Containers: SEVERAL_CONTAINERS, InferenceExecutionConfig }),
        },
        wrong(
          [clean, { Image: 'berth/echo' }],
          /'containers\.2\.member\.containerHostname' is missing/,
        ),
        wrong([clean, clean], /The container hostname "clean" was non-unique within the request\./),
      ]
    },
  },
]

const InferenceExecutionConfig = { Mode: 'Direct' }
