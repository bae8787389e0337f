import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aModelInput, aVariant, ControlWorld } from '../../../test/fixtures/control-world.ts'
import type { Wire } from '../../../test/fixtures/control-world.ts'

const ARN = 'arn:aws:sagemaker:us-east-1:000000000000'

async function worldWithModel(): Promise<ControlWorld> {
  const world = new ControlWorld()
  await world.run('CreateModel', aModelInput('m'))
  return world
}

function aConfigInput(variants: readonly Wire[] = [aVariant()], more: Wire = {}): Wire {
  return { EndpointConfigName: 'c', ProductionVariants: variants, ...more }
}

describe('CreateEndpointConfig', () => {
  test('fills in the weight and echoes the rest', async () => {
    await using world = await worldWithModel()
    const variant = aVariant({
      InstanceType: 'local.gpu',
      VolumeSizeInGB: 30,
      EnableSSMAccess: true,
      ModelDataDownloadTimeoutInSeconds: 60,
      RoutingConfig: { RoutingStrategy: 'LEAST_OUTSTANDING_REQUESTS' },
    })
    const more = { KmsKeyId: 'key-1', Tags: [{ Key: 'k', Value: 'v' }] }
    const reply = await world.run('CreateEndpointConfig', aConfigInput([variant], more))
    assert.deepEqual(reply, { EndpointConfigArn: `${ARN}:endpoint-config/c` })
    const described = await world.run('DescribeEndpointConfig', { EndpointConfigName: 'C' })
    assert.deepEqual(described['ProductionVariants'], [{ ...variant, InitialVariantWeight: 1 }])
    assert.equal(described['KmsKeyId'], 'key-1')
    const config = await world.store.findEndpointConfig('c')
    assert.deepEqual(config?.variants, [
      {
        variantName: 'AllTraffic',
        modelName: 'm',
        instanceType: 'local.gpu',
        initialInstanceCount: 1,
        initialWeight: 1,
        routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
        modelDataDownloadTimeoutMs: 60_000,
        startupHealthTimeoutMs: 480_000,
      },
    ])
  })

  test('start windows are taken in seconds', async () => {
    await using world = await worldWithModel()
    const windows = {
      ModelDataDownloadTimeoutInSeconds: 61,
      ContainerStartupHealthCheckTimeoutInSeconds: 60,
    }
    await world.run('CreateEndpointConfig', aConfigInput([aVariant(windows)]))
    const config = await world.store.findEndpointConfig('c')
    assert.equal(config?.variants[0]?.modelDataDownloadTimeoutMs, 61_000)
    assert.equal(config?.variants[0]?.startupHealthTimeoutMs, 60_000)
  })

  test('a weight of 0 stays 0', async () => {
    await using world = await worldWithModel()
    await world.run('CreateEndpointConfig', aConfigInput([aVariant({ InitialVariantWeight: 0 })]))
    const config = await world.store.findEndpointConfig('c')
    assert.equal(config?.variants[0]?.initialWeight, 0)
  })

  const refused: { given: string; input: Wire; message: string | RegExp }[] = [
    {
      given: 'a model that does not exist',
      input: aConfigInput([aVariant({ ModelName: 'Other' })]),
      message: `Could not find model "${ARN}:model/other".`,
    },
    {
      given: 'two variants of one name',
      input: aConfigInput([aVariant(), aVariant()]),
      message: 'The variant name "AllTraffic" was non-unique within the request.',
    },
    {
      given: 'no instance type and no count',
      input: aConfigInput([aVariant({ InstanceType: undefined, InitialInstanceCount: undefined })]),
      message:
        "2 validation errors detected: Value null at 'productionVariants.1.member.instanceType' failed to satisfy constraint: Member must not be null; Value null at 'productionVariants.1.member.initialInstanceCount' failed to satisfy constraint: Member must not be null",
    },
    {
      given: 'an instance type that does not exist',
      input: aConfigInput([aVariant({ InstanceType: 'ml.z9.huge' })]),
      message: /at 'productionVariants\.1\.member\.instanceType' .* enum value set: \[/,
    },
    {
      given: 'no instance at all',
      input: aConfigInput([aVariant({ InitialInstanceCount: 0 })]),
      message: /Member must have value greater than or equal to 1$/,
    },
    {
      given: 'an absurd number of instances',
      input: aConfigInput([aVariant({ InitialInstanceCount: 1_000_000 })]),
      message: /would have 1000000 instances; 1000 is the most/,
    },
  ]
  for (const { given, input, message } of refused) {
    test(`refuses ${given}`, async () => {
      await using world = await worldWithModel()
      await world.refuses('CreateEndpointConfig', input, message)
      assert.equal(await world.store.findEndpointConfig('c'), undefined)
    })
  }

  test('refuses an infinite weight, which JSON can say', async () => {
    await using world = await worldWithModel()
    const text = JSON.stringify(aConfigInput([aVariant({ InitialVariantWeight: 12345 })]))
    const body = JSON.parse(text.replace('12345', '1e999')) as Wire
    assert.equal(JSON.stringify(body).includes('null'), true)
    const { runOperation } = await import('./operations.ts')
    await assert.rejects(
      runOperation(
        'CreateEndpointConfig',
        Buffer.from(text.replace('12345', '1e999')),
        world.context,
      ),
      /must be a finite number/,
    )
  })

  test('refuses a taken name', async () => {
    await using world = await worldWithModel()
    await world.run('CreateEndpointConfig', aConfigInput())
    const input = { ...aConfigInput(), EndpointConfigName: 'C' }
    const message = `Cannot create already existing endpoint configuration "${ARN}:endpoint-config/c".`
    await world.refuses('CreateEndpointConfig', input, message)
  })
})

describe('what this version does not offer', () => {
  const OUTPUT = { OutputConfig: { S3OutputPath: 's3://b/out' } }
  const CAPTURE = {
    InitialSamplingPercentage: 10,
    DestinationS3Uri: 's3://b/c',
    CaptureOptions: [{ CaptureMode: 'Input' }],
  }
  const model: [path: string, input: Wire][] = [
    ['enableNetworkIsolation', { ...aModelInput('x'), EnableNetworkIsolation: true }],
    [
      'vpcConfig',
      { ...aModelInput('x'), VpcConfig: { SecurityGroupIds: ['sg-1'], Subnets: ['s-1'] } },
    ],
    [
      'primaryContainer.modelPackageName',
      { ModelName: 'x', PrimaryContainer: { ModelPackageName: 'p' } },
    ],
  ]
  const config: [path: string, input: Wire][] = [
    ['asyncInferenceConfig', aConfigInput([aVariant()], { AsyncInferenceConfig: OUTPUT })],
    ['dataCaptureConfig', aConfigInput([aVariant()], { DataCaptureConfig: CAPTURE })],
    [
      'dataCaptureConfig',
      aConfigInput([aVariant()], { DataCaptureConfig: { ...CAPTURE, EnableCapture: true } }),
    ],
    [
      'shadowProductionVariants',
      aConfigInput([aVariant()], { ShadowProductionVariants: [aVariant({ VariantName: 's' })] }),
    ],
    ['enableNetworkIsolation', aConfigInput([aVariant()], { EnableNetworkIsolation: true })],
    ['explainerConfig', aConfigInput([aVariant()], { ExplainerConfig: {} })],
    [
      'productionVariants.2.member.serverlessConfig',
      aConfigInput([
        aVariant(),
        {
          VariantName: 'b',
          ModelName: 'm',
          ServerlessConfig: { MemorySizeInMB: 1024, MaxConcurrency: 1 },
        },
      ]),
    ],
    [
      'productionVariants.1.member.managedInstanceScaling',
      aConfigInput([aVariant({ ManagedInstanceScaling: { Status: 'ENABLED' } })]),
    ],
    [
      'productionVariants.1.member.instancePools',
      aConfigInput([aVariant({ InstancePools: [{ InstanceType: 'ml.m5.large', Priority: 1 }] })]),
    ],
    ['productionVariants.1.member.modelName', aConfigInput([aVariant({ ModelName: undefined })])],
  ]
  const rows = [
    ...model.map((row) => ['CreateModel', ...row] as const),
    ...config.map((row) => ['CreateEndpointConfig', ...row] as const),
  ]
  for (const [operation, path, input] of rows) {
    test(`${operation} says that ${path} asks for it`, async () => {
      await using world = await worldWithModel()
      const text = `^This version of Berth does not offer .+; '${path.replaceAll('.', '\\.')}' asks for it\\.$`
      await world.refuses(operation, input, new RegExp(text))
    })
  }

  const harmless: [operation: string, input: Wire][] = [
    [
      'CreateModel',
      {
        ...aModelInput('x'),
        EnableNetworkIsolation: false,
        InferenceExecutionConfig: { Mode: 'Serial' },
      },
    ],
    [
      'CreateEndpointConfig',
      aConfigInput([aVariant()], { DataCaptureConfig: { ...CAPTURE, EnableCapture: false } }),
    ],
    [
      'CreateEndpointConfig',
      aConfigInput([aVariant({ ManagedInstanceScaling: { Status: 'DISABLED' } })]),
    ],
  ]
  for (const [operation, input] of harmless) {
    test(`${operation} takes the same members when they ask for nothing: ${JSON.stringify(input).slice(0, 60)}`, async () => {
      await using world = await worldWithModel()
      await world.run(operation, input)
    })
  }

  test('another operation of SageMaker is not offered, and what is none is unknown', async () => {
    await using world = new ControlWorld()
    await world.refuses(
      'CreateTransformJob',
      {},
      'The operation CreateTransformJob is not offered by this version of Berth.',
    )
    await world.refuses('createModel', {}, 'SageMaker has no operation createModel.')
    await world.refuses('toString', {}, 'SageMaker has no operation toString.')
  })
})
