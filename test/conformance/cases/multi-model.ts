import assert from 'node:assert/strict'

import type { Input } from '../clients/client.ts'
import { createConfig, createModel, holds, reaches, refused, succeeds } from './case.ts'
import type { Case, Output, Step } from './case.ts'
import { bodyText, invoke } from './invocations.ts'

/** Endpoints of many models, from CreateModel to the answer of each. */
export const multiModelCases: readonly Case[] = [
  {
    name: 'an endpoint of many models: made, described, and each target model answers as itself',
    steps: ({ prefix, manyUrl }) => {
      const name = `${prefix}-many`
      const container = {
        Image: 'berth/onnx',
        Mode: 'MultiModel',
        ModelDataUrl: manyUrl,
        MultiModelConfig: { ModelCacheSetting: 'Enabled' },
      }
      return [
        createModel(name, { PrimaryContainer: container }),
        {
          operation: 'DescribeModel',
          input: { ModelName: name },
          expect: holds({ PrimaryContainer: container }),
        },
        createConfig(name, name),
        {
          operation: 'CreateEndpoint',
          input: { EndpointName: name, EndpointConfigName: name },
          expect: succeeds,
        },
        reaches(name, 'InService'),
        ask(name, 'm1.tar.gz', answers(1)),
        ask(name, 'm2.tar.gz', answers(2)),
        ask(name, 'no-such.tar.gz', {
          code: 'ValidationError',
          message:
            /^Failed to download model data\(bucket: models, key: conformance\/no-such\.tar\.gz\)\. Please ensure that there is an object located at the URL and that the role passed to CreateModel has permissions to download the model\.$/,
        }),
        ask(name, 'broken.tar.gz', {
          code: 'ModelError',
          message: /^Model broken\.tar\.gz cannot be used: Failed to extract/,
        }),
        invoke(name, { ContentType: 'application/json' }, '[[7]]', {
          code: 'ValidationError',
          message: /^Request [0-9a-f-]{36} is missing a target model header\./,
        }),
        { operation: 'DeleteEndpoint', input: { EndpointName: name }, expect: succeeds },
      ]
    },
  },
  {
    name: 'a container of many models is refused when it is given what does not fit',
    steps: ({ prefix, manyUrl }) => {
      const wrong = (container: Input, message: RegExp): Step => {
        const PrimaryContainer = { Image: 'berth/onnx', ...container }
        return { ...createModel(`${prefix}-wrong`, { PrimaryContainer }), expect: refused(message) }
      }
      return [
        wrong({ Mode: 'MultiModel' }, /'primaryContainer\.modelDataUrl' is required in mode/),
        wrong(
          { ModelDataUrl: manyUrl, MultiModelConfig: { ModelCacheSetting: 'Disabled' } },
          /'primaryContainer\.multiModelConfig' needs 'primaryContainer\.mode' MultiModel, not none\./,
        ),
        wrong(
          {
            Mode: 'MultiModel',
            ModelDataUrl: manyUrl,
            Environment: { BERTH_MODEL_EVICTION: 'random' },
          },
          /BERTH_MODEL_EVICTION must be gdsf or lru, not "random"\./,
        ),
      ]
    },
  },
]

function ask(endpointName: string, TargetModel: string, expect: Step['expect']): Step {
  return invoke(endpointName, { TargetModel, ContentType: 'application/json' }, '[[7]]', expect)
}

/** What model number N answers, whatever it is asked. */
function answers(number: number): Step['expect'] {
  return {
    output: (output: Output) => {
      assert.deepEqual(JSON.parse(bodyText(output)), { predictions: [[number]] })
      assert.equal(output['InvokedProductionVariant'], 'AllTraffic')
    },
  }
}
