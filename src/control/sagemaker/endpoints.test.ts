import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  aModelInput,
  aVariant,
  ControlWorld,
  START_MS,
} from '../../../test/fixtures/control-world.ts'
import type { Wire } from '../../../test/fixtures/control-world.ts'

const ARN = 'arn:aws:sagemaker:us-east-1:000000000000'
const EP = `${ARN}:endpoint/ep`
const IN_PROGRESS = `Cannot update in-progress endpoint "${EP}".`

async function servingWorld(variants?: readonly Wire[]): Promise<ControlWorld> {
  const world = new ControlWorld()
  await world.serve(
    'Ep',
    variants?.map((variant) => ({ ...variant, ModelName: 'Ep' })),
  )
  return world
}

describe('CreateEndpoint', () => {
  test('records the first generation with the containers of its models', async () => {
    await using world = new ControlWorld()
    await world.run('CreateModel', aModelInput('m', { Environment: { A: '1' } }))
    await world.run('CreateEndpointConfig', {
      EndpointConfigName: 'c',
      ProductionVariants: [aVariant({ InitialInstanceCount: 2 })],
    })
    const input = { EndpointName: 'Ep', EndpointConfigName: 'C', Tags: [{ Key: 'k', Value: 'v' }] }
    assert.deepEqual(await world.run('CreateEndpoint', input), { EndpointArn: EP })
    assert.deepEqual(await world.run('DescribeEndpoint', { EndpointName: 'ep' }), {
      EndpointName: 'Ep',
      EndpointArn: EP,
      EndpointConfigName: 'c',
      EndpointStatus: 'Creating',
      CreationTime: START_MS / 1000,
      LastModifiedTime: START_MS / 1000,
      PendingDeploymentSummary: {
        EndpointConfigName: 'c',
        StartTime: START_MS / 1000,
        ProductionVariants: [
          {
            VariantName: 'AllTraffic',
            DeployedImages: [{ SpecifiedImage: 'berth/echo', ResolvedImage: 'berth/echo' }],
            CurrentWeight: 0,
            DesiredWeight: 1,
            CurrentInstanceCount: 0,
            DesiredInstanceCount: 2,
            InstanceType: 'ml.m5.large',
            RoutingConfig: { RoutingStrategy: 'RANDOM' },
            VariantStatus: [
              {
                Status: 'Creating',
                StatusMessage: 'Launching 2 instance(s).',
                StartTime: START_MS / 1000,
              },
            ],
          },
        ],
      },
    })
    const endpoint = await world.endpoint('ep')
    assert.match(endpoint.endpointId, /^[0-9a-f]{12}$/)
    assert.equal(endpoint.deployment?.kind, 'create')
    const [event] = await world.store.listEvents('Ep', 10)
    assert.equal(event?.kind, 'create-requested')
  })

  test('refuses what is not there and what is there already', async () => {
    await using world = await servingWorld()
    await world.refuses(
      'CreateEndpoint',
      { EndpointName: 'x', EndpointConfigName: 'None' },
      `Could not find endpoint configuration "${ARN}:endpoint-config/none".`,
    )
    await world.refuses(
      'CreateEndpoint',
      { EndpointName: 'EP', EndpointConfigName: 'ep' },
      `Cannot create already existing endpoint "${EP}".`,
    )
    await world.run('DeleteModel', { ModelName: 'ep' })
    await world.refuses(
      'CreateEndpoint',
      { EndpointName: 'x', EndpointConfigName: 'ep' },
      `Could not find model "${ARN}:model/ep".`,
    )
  })
})

describe('an endpoint in progress', () => {
  const changes: [operation: string, input: Wire][] = [
    ['UpdateEndpoint', { EndpointName: 'ep', EndpointConfigName: 'ep' }],
    [
      'UpdateEndpointWeightsAndCapacities',
      {
        EndpointName: 'ep',
        DesiredWeightsAndCapacities: [{ VariantName: 'AllTraffic', DesiredWeight: 2 }],
      },
    ],
    ['DeleteEndpoint', { EndpointName: 'ep' }],
  ]
  for (const [operation, input] of changes) {
    for (const status of [
      'Creating',
      'Updating',
      'RollingBack',
      'SystemUpdating',
      'Deleting',
    ] as const) {
      test(`refuses ${operation} while ${status}`, async () => {
        await using world = await servingWorld()
        await world.save({ ...(await world.endpoint('ep')), status })
        await world.refuses(operation, input, IN_PROGRESS)
      })
    }

    test(`${operation} of an unknown endpoint names its ARN`, async () => {
      await using world = new ControlWorld()
      await world.refuses(operation, input, `Could not find endpoint "${EP}".`)
    })
  }

  test('Failed takes nothing but DeleteEndpoint', async () => {
    await using world = await servingWorld()
    await world.save({
      ...(await world.endpoint('ep')),
      status: 'Failed',
      failureReason: 'x'.repeat(2000),
    })
    const described = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.equal(described['FailureReason'], 'x'.repeat(1024))
    for (const [operation, input] of changes.slice(0, 2)) {
      await world.refuses(operation, input, /with status Failed: delete it, then create it again/)
    }
    await world.run('DeleteEndpoint', { EndpointName: 'ep' })
    assert.equal((await world.endpoint('ep')).status, 'Deleting')
  })
})

describe('UpdateEndpoint', () => {
  async function withSecondConfig(variants?: readonly Wire[]): Promise<ControlWorld> {
    const world = await servingWorld(variants)
    await world.run('CreateEndpointConfig', {
      EndpointConfigName: 'second',
      ProductionVariants: [
        aVariant({ ModelName: 'Ep', InitialInstanceCount: 1, InitialVariantWeight: 1 }),
        aVariant({ ModelName: 'Ep', VariantName: 'fresh' }),
      ],
    })
    return world
  }

  test('keeps the old config in sight until the new one serves', async () => {
    await using world = await withSecondConfig()
    await world.clock.advance(1000)
    const input = { EndpointName: 'ep', EndpointConfigName: 'second' }
    assert.deepEqual(await world.run('UpdateEndpoint', input), { EndpointArn: EP })
    const during = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.equal(during['EndpointStatus'], 'Updating')
    assert.equal(during['EndpointConfigName'], 'Ep')
    assert.equal(during['LastModifiedTime'], (START_MS + 1000) / 1000)
    const pending = during['PendingDeploymentSummary'] as Wire
    assert.equal(pending['EndpointConfigName'], 'second')
    assert.equal((pending['ProductionVariants'] as Wire[]).length, 2)
    assert.equal((during['ProductionVariants'] as Wire[]).length, 1)
    await world.converge('ep')
    const afterwards = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.equal(afterwards['EndpointConfigName'], 'second')
    assert.equal(afterwards['PendingDeploymentSummary'], undefined)
    assert.equal((await world.endpoint('ep')).serving?.number, 2)
  })

  const retained: { given: Wire; count: number; weight: number }[] = [
    { given: {}, count: 1, weight: 1 },
    { given: { RetainAllVariantProperties: false }, count: 1, weight: 1 },
    { given: { RetainAllVariantProperties: true }, count: 3, weight: 5 },
    {
      given: {
        RetainAllVariantProperties: true,
        ExcludeRetainedVariantProperties: [{ VariantPropertyType: 'DesiredWeight' }],
      },
      count: 3,
      weight: 1,
    },
    {
      given: {
        RetainAllVariantProperties: true,
        ExcludeRetainedVariantProperties: [
          { VariantPropertyType: 'DesiredInstanceCount' },
          { VariantPropertyType: 'DataCaptureConfig' },
        ],
      },
      count: 1,
      weight: 5,
    },
  ]
  for (const { given, count, weight } of retained) {
    test(`with ${JSON.stringify(given)} there are ${count} instances of weight ${weight}`, async () => {
      await using world = await withSecondConfig([
        aVariant({ InitialInstanceCount: 3, InitialVariantWeight: 5 }),
      ])
      await world.run('UpdateEndpoint', {
        EndpointName: 'ep',
        EndpointConfigName: 'second',
        ...given,
      })
      const { deployment } = await world.endpoint('ep')
      assert.ok(deployment?.kind === 'update')
      const seen = deployment.green.variants.map((variant) => [
        variant.variantName,
        variant.desiredInstanceCount,
        variant.desiredWeight,
      ])
      assert.deepEqual(seen, [
        ['AllTraffic', count, weight],
        ['fresh', 1, 1],
      ])
    })
  }

  test('looks up the config that is replaced, too', async () => {
    await using world = await withSecondConfig()
    await world.run('DeleteEndpointConfig', { EndpointConfigName: 'ep' })
    await world.refuses(
      'UpdateEndpoint',
      { EndpointName: 'ep', EndpointConfigName: 'second' },
      `Could not find endpoint configuration "${ARN}:endpoint-config/ep".`,
    )
  })

  test('keeps the deployment config that was given last', async () => {
    await using world = await withSecondConfig()
    const DeploymentConfig = {
      BlueGreenUpdatePolicy: {
        TrafficRoutingConfiguration: { Type: 'ALL_AT_ONCE', WaitIntervalInSeconds: 60 },
      },
    }
    const input = { EndpointName: 'ep', EndpointConfigName: 'second' }
    await world.run('UpdateEndpoint', { ...input, DeploymentConfig })
    await world.converge('ep')
    await world.run('UpdateEndpoint', { ...input, RetainDeploymentConfig: true })
    const described = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.deepEqual(described['LastDeploymentConfig'], DeploymentConfig)
    await world.converge('ep')
    await world.refuses(
      'UpdateEndpoint',
      { ...input, DeploymentConfig, RetainDeploymentConfig: true },
      'DeploymentConfig and RetainDeploymentConfig may not be given together.',
    )
  })

  const policies: [path: string, deployment: Wire][] = [
    [
      'blueGreenUpdatePolicy',
      blueGreen({ Type: 'CANARY', CanarySize: { Type: 'INSTANCE_COUNT', Value: 1 } }),
    ],
    [
      'blueGreenUpdatePolicy',
      blueGreen({ Type: 'LINEAR', LinearStepSize: { Type: 'INSTANCE_COUNT', Value: 1 } }),
    ],
    ['blueGreenUpdatePolicy', blueGreen({ Type: 'ALL_AT_ONCE' }, { TerminationWaitInSeconds: 60 })],
    [
      'rollingUpdatePolicy',
      {
        RollingUpdatePolicy: {
          MaximumBatchSize: { Type: 'INSTANCE_COUNT', Value: 1 },
          WaitIntervalInSeconds: 0,
        },
      },
    ],
    [
      'autoRollbackConfiguration',
      {
        ...blueGreen({ Type: 'ALL_AT_ONCE' }),
        AutoRollbackConfiguration: { Alarms: [{ AlarmName: 'a' }] },
      },
    ],
  ]
  for (const [path, DeploymentConfig] of policies) {
    test(`does not offer ${JSON.stringify(DeploymentConfig).slice(0, 90)}`, async () => {
      await using world = await withSecondConfig()
      const input = { EndpointName: 'ep', EndpointConfigName: 'second', DeploymentConfig }
      await world.refuses(
        'UpdateEndpoint',
        input,
        new RegExp(`'deploymentConfig\\.${path}' asks for it`),
      )
      const created = { EndpointName: 'other', EndpointConfigName: 'second', DeploymentConfig }
      await world.refuses('CreateEndpoint', created, /does not offer/)
    })
  }

  test('looks again when the controller wrote in between', async () => {
    await using world = await withSecondConfig()
    const { store } = world
    let interruptions = 0
    const busyStore = new Proxy(store, {
      get(target, key) {
        if (key !== 'saveEndpoint') return Reflect.get(target, key).bind(target)
        return async (endpoint: Parameters<typeof store.saveEndpoint>[0]) => {
          interruptions += 1
          if (interruptions === 1) await target.saveEndpoint({ ...endpoint, status: 'InService' })
          if (interruptions === 2)
            await target.saveEndpoint({ ...endpoint, status: 'SystemUpdating' })
          return target.saveEndpoint(endpoint)
        }
      },
    })
    await using busy = new ControlWorld({ store: busyStore })
    await busy.refuses(
      'UpdateEndpoint',
      { EndpointName: 'ep', EndpointConfigName: 'second' },
      IN_PROGRESS,
    )
    assert.equal(interruptions, 2)
  })
})

describe('UpdateEndpointWeightsAndCapacities', () => {
  const two = [
    aVariant({ VariantName: 'a' }),
    aVariant({ VariantName: 'b', InitialInstanceCount: 2 }),
  ]

  test('changes what is mentioned and nothing else', async () => {
    await using world = await servingWorld(two)
    const DesiredWeightsAndCapacities = [
      { VariantName: 'a', DesiredInstanceCount: 3 },
      { VariantName: 'b', DesiredWeight: 0, DesiredInstanceCount: 1 },
    ]
    const input = { EndpointName: 'ep', DesiredWeightsAndCapacities }
    assert.deepEqual(await world.run('UpdateEndpointWeightsAndCapacities', input), {
      EndpointArn: EP,
    })
    const described = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.equal(described['EndpointStatus'], 'Updating')
    assert.equal(described['PendingDeploymentSummary'], undefined)
    const seen = (described['ProductionVariants'] as Wire[]).map((variant) => [
      variant['DesiredInstanceCount'],
      variant['CurrentInstanceCount'],
      variant['DesiredWeight'],
      variant['CurrentWeight'],
      (variant['VariantStatus'] as Wire[])[0]?.['StatusMessage'],
    ])
    assert.deepEqual(seen, [
      [3, 1, 1, 1, 'Scaling out desired instance count to 3.'],
      [1, 2, 0, 1, 'Terminating 1 instance(s).'],
    ])
    const { deployment } = await world.endpoint('ep')
    assert.ok(deployment?.kind === 'capacity')
    assert.deepEqual(
      deployment.previous.variants.map((variant) => variant.desiredInstanceCount),
      [1, 2],
    )
  })

  const refused: [given: string, wishes: Wire[], message: string | RegExp][] = [
    [
      'a variant twice',
      [{ VariantName: 'a' }, { VariantName: 'a' }],
      'The variant name "a" was non-unique within the request.',
    ],
    [
      'unknown variants',
      [{ VariantName: 'x' }, { VariantName: 'a' }, { VariantName: 'y' }],
      'The variant name(s) "x, y" is/are not present within endpoint configuration "Ep".',
    ],
    [
      'no instances',
      [{ VariantName: 'a', DesiredInstanceCount: 0 }],
      /DesiredInstanceCount of at least 1/,
    ],
    [
      'too many instances',
      [{ VariantName: 'a', DesiredInstanceCount: 5000 }],
      /would have 5000 instances/,
    ],
    [
      'serverless capacity',
      [{ VariantName: 'a', ServerlessUpdateConfig: { MaxConcurrency: 2 } }],
      /'desiredWeightsAndCapacities\.1\.member\.serverlessUpdateConfig' asks for it/,
    ],
    ['a negative weight', [{ VariantName: 'a', DesiredWeight: -1 }], /greater than or equal to 0/],
  ]
  for (const [given, DesiredWeightsAndCapacities, message] of refused) {
    test(`refuses ${given}`, async () => {
      await using world = await servingWorld(two)
      const input = { EndpointName: 'ep', DesiredWeightsAndCapacities }
      await world.refuses('UpdateEndpointWeightsAndCapacities', input, message)
      assert.equal((await world.endpoint('ep')).status, 'InService')
    })
  }
})

describe('DeleteEndpoint', () => {
  test('marks the endpoint; once it is gone DescribeEndpoint does not find it', async () => {
    await using world = await servingWorld()
    assert.deepEqual(await world.run('DeleteEndpoint', { EndpointName: 'EP' }), {})
    const described = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.equal(described['EndpointStatus'], 'Deleting')
    const { revision } = await world.endpoint('ep')
    await world.store.removeEndpoint('ep', revision)
    await world.refuses(
      'DescribeEndpoint',
      { EndpointName: 'ep' },
      `Could not find endpoint "${EP}".`,
    )
  })
})

function blueGreen(routing: Wire, more: Wire = {}): Wire {
  return {
    BlueGreenUpdatePolicy: {
      TrafficRoutingConfiguration: { WaitIntervalInSeconds: 0, ...routing },
      ...more,
    },
  }
}
