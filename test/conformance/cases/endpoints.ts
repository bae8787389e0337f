import assert from 'node:assert/strict'

import {
  arn,
  createConfig,
  createModel,
  holds,
  reaches,
  refused,
  succeeds,
  variant,
} from './case.ts'
import type { Case } from './case.ts'

/** Endpoint configs and endpoints, from creation to deletion. */
export const endpointCases: readonly Case[] = [
  {
    name: 'an endpoint config is echoed with its default weight',
    steps: ({ prefix }) => [
      createModel(`${prefix}-m`),
      createConfig(`${prefix}-Cfg`, `${prefix}-m`),
      {
        operation: 'DescribeEndpointConfig',
        input: { EndpointConfigName: `${prefix}-Cfg` },
        expect: holds({
          EndpointConfigName: `${prefix}-Cfg`,
          ProductionVariants: [{ ...variant(`${prefix}-m`), InitialVariantWeight: 1 }],
        }),
      },
      {
        operation: 'ListEndpointConfigs',
        input: { NameContains: `${prefix}-Cfg` },
        expect: { output: (o) => assert.equal((o['EndpointConfigs'] as unknown[]).length, 1) },
      },
      {
        operation: 'DeleteEndpointConfig',
        input: { EndpointConfigName: `${prefix}-Cfg` },
        expect: succeeds,
      },
      {
        operation: 'DescribeEndpointConfig',
        input: { EndpointConfigName: `${prefix}-Cfg` },
        expect: refused(/^Could not find endpoint configuration "arn:aws:sagemaker:.*-cfg"\.$/),
      },
    ],
  },
  {
    name: 'an endpoint config refuses unknown models, types and doubled variants',
    steps: ({ prefix }) => [
      createModel(`${prefix}-m2`),
      {
        ...createConfig(`${prefix}-c2`, `${prefix}-nope`),
        expect: refused(/^Could not find model "/),
      },
      {
        ...createConfig(`${prefix}-c2`, `${prefix}-m2`, { InstanceType: 'ml.imaginary.large' }),
        expect: refused(
          /Value 'ml\.imaginary\.large' at 'productionVariants\.1\.member\.instanceType' failed to satisfy constraint: Member must satisfy enum value set: \[/,
        ),
      },
      {
        operation: 'CreateEndpointConfig',
        input: {
          EndpointConfigName: `${prefix}-c2`,
          ProductionVariants: [variant(`${prefix}-m2`), variant(`${prefix}-m2`)],
        },
        expect: refused(/AllTraffic/),
      },
    ],
  },
  {
    name: 'what is not offered yet is refused by name',
    steps: ({ prefix }) => [
      createModel(`${prefix}-m3`),
      {
        operation: 'CreateEndpointConfig',
        input: {
          EndpointConfigName: `${prefix}-c3`,
          ProductionVariants: [
            {
              VariantName: 'AllTraffic',
              ModelName: `${prefix}-m3`,
              ServerlessConfig: { MemorySizeInMB: 2048, MaxConcurrency: 2 },
            },
          ],
        },
        expect: refused(/ServerlessConfig/i),
      },
      {
        operation: 'ListTransformJobs',
        input: {},
        expect: { code: 'UnknownOperationException', message: /ListTransformJobs/ },
      },
    ],
  },
  {
    name: 'an endpoint lives: created, described, listed, reweighted, updated, deleted',
    steps: ({ prefix }) => [
      createModel(`${prefix}-m4`),
      createConfig(`${prefix}-c4`, `${prefix}-m4`),
      createConfig(`${prefix}-c4b`, `${prefix}-m4`, { InitialVariantWeight: 3 }),
      {
        operation: 'CreateEndpoint',
        input: { EndpointName: `${prefix}-E4`, EndpointConfigName: `${prefix}-c4` },
        expect: holds({ EndpointArn: arn('endpoint', `${prefix}-E4`) }),
      },
      {
        operation: 'CreateEndpoint',
        input: { EndpointName: `${prefix}-e4`, EndpointConfigName: `${prefix}-c4` },
        expect: refused(/^Cannot create already existing endpoint "/),
      },
      reaches(`${prefix}-E4`, 'InService'),
      {
        operation: 'DescribeEndpoint',
        input: { EndpointName: `${prefix}-E4` },
        expect: holds({
          EndpointName: `${prefix}-E4`,
          EndpointArn: arn('endpoint', `${prefix}-E4`),
          EndpointConfigName: `${prefix}-c4`,
          ProductionVariants: [
            {
              VariantName: 'AllTraffic',
              CurrentWeight: 1,
              DesiredWeight: 1,
              CurrentInstanceCount: 1,
              DesiredInstanceCount: 1,
            },
          ],
        }),
      },
      {
        operation: 'ListEndpoints',
        input: { NameContains: `${prefix}-e4`, StatusEquals: 'InService' },
        expect: {
          output: (o) =>
            assert.partialDeepStrictEqual(o['Endpoints'], [{ EndpointName: `${prefix}-E4` }]),
        },
      },
      {
        operation: 'UpdateEndpointWeightsAndCapacities',
        input: {
          EndpointName: `${prefix}-E4`,
          DesiredWeightsAndCapacities: [
            { VariantName: 'AllTraffic', DesiredWeight: 2, DesiredInstanceCount: 2 },
          ],
        },
        expect: succeeds,
      },
      reaches(`${prefix}-E4`, 'InService'),
      {
        operation: 'DescribeEndpoint',
        input: { EndpointName: `${prefix}-E4` },
        expect: holds({ ProductionVariants: [{ CurrentWeight: 2, CurrentInstanceCount: 2 }] }),
      },
      {
        operation: 'UpdateEndpoint',
        input: { EndpointName: `${prefix}-E4`, EndpointConfigName: `${prefix}-c4b` },
        expect: succeeds,
      },
      reaches(`${prefix}-E4`, 'InService'),
      {
        operation: 'DescribeEndpoint',
        input: { EndpointName: `${prefix}-E4` },
        expect: holds({
          EndpointConfigName: `${prefix}-c4b`,
          ProductionVariants: [{ CurrentWeight: 3, CurrentInstanceCount: 1 }],
        }),
      },
      { operation: 'DeleteEndpoint', input: { EndpointName: `${prefix}-E4` }, expect: succeeds },
      {
        operation: 'DescribeEndpoint',
        input: { EndpointName: `${prefix}-E4` },
        until: () => false,
        expect: refused(/^Could not find endpoint "arn:aws:sagemaker:.*-e4"\.$/),
      },
    ],
  },
  {
    name: 'an endpoint that cannot start fails with the cause in words',
    steps: ({ prefix }) => [
      createModel(`${prefix}-m5`, {
        PrimaryContainer: { Image: 'berth/echo', Environment: { BERTH_ECHO_EXIT_CODE: '7' } },
      }),
      createConfig(`${prefix}-c5`, `${prefix}-m5`),
      {
        operation: 'CreateEndpoint',
        input: { EndpointName: `${prefix}-e5`, EndpointConfigName: `${prefix}-c5` },
        expect: succeeds,
      },
      reaches(`${prefix}-e5`, 'Failed'),
      {
        operation: 'DescribeEndpoint',
        input: { EndpointName: `${prefix}-e5` },
        expect: { output: (o) => assert.match(String(o['FailureReason']), /exited with code 7/) },
      },
      {
        operation: 'UpdateEndpoint',
        input: { EndpointName: `${prefix}-e5`, EndpointConfigName: `${prefix}-c5` },
        expect: refused(/./),
      },
      { operation: 'DeleteEndpoint', input: { EndpointName: `${prefix}-e5` }, expect: succeeds },
    ],
  },
  {
    name: 'weights and capacities name their variants exactly',
    steps: ({ liveEndpoint }) => [
      {
        operation: 'UpdateEndpointWeightsAndCapacities',
        input: {
          EndpointName: liveEndpoint,
          DesiredWeightsAndCapacities: [{ VariantName: 'purple', DesiredWeight: 1 }],
        },
        expect: refused(
          /^The variant name\(s\) "purple" is\/are not present within endpoint configuration "/,
        ),
      },
      {
        operation: 'UpdateEndpointWeightsAndCapacities',
        input: {
          EndpointName: liveEndpoint,
          DesiredWeightsAndCapacities: [
            { VariantName: 'blue', DesiredWeight: 1 },
            { VariantName: 'blue', DesiredWeight: 2 },
          ],
        },
        expect: refused(/^The variant name "blue" was non-unique within the request\.$/),
      },
    ],
  },
  {
    name: 'nothing is found where nothing is',
    steps: ({ prefix }) => [
      ...['DescribeEndpoint', 'DeleteEndpoint'].map((operation) => ({
        operation,
        input: { EndpointName: `${prefix}-void` },
        expect: refused(/^Could not find endpoint "arn:aws:sagemaker:.*-void"\.$/),
      })),
      {
        operation: 'CreateEndpoint',
        input: { EndpointName: `${prefix}-void`, EndpointConfigName: `${prefix}-void` },
        expect: refused(/^Could not find endpoint configuration "/),
      },
    ],
  },
]
