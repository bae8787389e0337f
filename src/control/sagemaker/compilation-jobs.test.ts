import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ControlWorld, START_MS } from '../../../test/fixtures/control-world.ts'
import type { Wire } from '../../../test/fixtures/control-world.ts'
import { isBerthError } from '../../domain/errors.ts'

const ARN = 'arn:aws:sagemaker:us-east-1:000000000000:compilation-job'

function aJobInput(name: string, changes: Wire = {}): Wire {
  const { InputConfig, OutputConfig, ...others } = changes
  return {
    CompilationJobName: name,
    RoleArn: 'arn:aws:iam::000000000000:role/any',
    InputConfig: { S3Uri: 's3://in/digits.tar.gz', Framework: 'ONNX', ...(InputConfig as Wire) },
    OutputConfig: {
      S3OutputLocation: 's3://out/compiled',
      TargetDevice: 'ml_c5',
      ...(OutputConfig as Wire),
    },
    StoppingCondition: {},
    ...others,
  }
}

const withOptions = (text: string): Wire => ({ OutputConfig: { CompilerOptions: text } })

describe('CreateCompilationJob', () => {
  test('is described with what it was given, and with the members the service model wants', async () => {
    await using world = new ControlWorld()
    const reply = await world.run('CreateCompilationJob', aJobInput('Digits-1'))
    assert.deepEqual(reply, { CompilationJobArn: `${ARN}/digits-1` })
    const { RoleArn, InputConfig, OutputConfig } = aJobInput('Digits-1')
    assert.deepEqual(
      await world.run('DescribeCompilationJob', { CompilationJobName: 'DIGITS-1' }),
      {
        CompilationJobName: 'Digits-1',
        CompilationJobArn: `${ARN}/digits-1`,
        CompilationJobStatus: 'STARTING',
        RoleArn,
        InputConfig,
        OutputConfig,
        StoppingCondition: {},
        CreationTime: START_MS / 1000,
        LastModifiedTime: START_MS / 1000,
        FailureReason: '',
        InferenceImage: 'berth/onnx',
        ModelArtifacts: { S3ModelArtifacts: 's3://out/compiled/digits-ml_c5.tar.gz' },
      },
    )
  })

  for (const { given, text, options } of [
    {
      given: 'int8 of one scale for a matrix',
      text: '{"quantization":"int8-dynamic","perChannel":false}',
      options: { quantization: 'int8-dynamic', isPerChannel: false, tolerance: 0.1 },
    },
    {
      given: 'single quotes, as in the documentation',
      text: "{'quantization': 'fp16', 'tolerance': 0.5, 'samples': 's.csv'}",
      options: { quantization: 'fp16', isPerChannel: true, tolerance: 0.5, samples: 's.csv' },
    },
    {
      given: 'nothing',
      text: '{ }',
      options: { quantization: 'none', isPerChannel: true, tolerance: 1e-4 },
    },
  ]) {
    test(`reads options: ${given}`, async () => {
      await using world = new ControlWorld()
      await world.run('CreateCompilationJob', aJobInput('job', withOptions(text)))
      const job = await world.store.findCompilationJob('job')
      assert.deepEqual(job?.options, options)
    })
  }

  for (const { given, text, shapes } of [
    { given: 'lists', text: '{"x": [1, -1, null]}', shapes: { x: [1, -1, -1] } },
    { given: 'nested', text: "{'x': {'shape': [8, 3]}}", shapes: { x: [8, 3] } },
  ]) {
    test(`reads shapes: ${given}`, async () => {
      await using world = new ControlWorld()
      const input = aJobInput('job', { InputConfig: { DataInputConfig: text } })
      await world.run('CreateCompilationJob', input)
      assert.deepEqual((await world.store.findCompilationJob('job'))?.shapes, shapes)
    })
  }

  for (const { given, changes, message } of [
    {
      given: 'an unknown option',
      changes: withOptions('{"dtype":"float32"}'),
      message:
        '\'outputConfig.compilerOptions\' has no option "dtype". Options: quantization, perChannel, tolerance, samples.',
    },
    { given: 'no JSON', changes: withOptions('-O3'), message: /must be the text of a JSON object/ },
    {
      given: 'another quantisation',
      changes: withOptions('{"quantization":"int4"}'),
      message: /"quantization" .* must be one of none, int8-dynamic, fp16; it is "int4"\.$/,
    },
    {
      given: 'a tolerance that is none',
      changes: withOptions('{"tolerance":"much"}'),
      message: /"tolerance" .* must be a number from 0 to 1; it is "much"/,
    },
    {
      given: 'samples outside the model data',
      changes: withOptions('{"samples":"../../etc/passwd.csv"}'),
      message: /"samples"/,
    },
    {
      given: 'a shape that is none',
      changes: { InputConfig: { DataInputConfig: '{"x": [0]}' } },
      message: /The shape of "x"/,
    },
    {
      given: 'no target',
      changes: { OutputConfig: { TargetDevice: undefined } },
      message: /either TargetDevice or TargetPlatform, and not both/,
    },
    {
      given: 'two targets',
      changes: { OutputConfig: { TargetPlatform: { Os: 'LINUX', Arch: 'X86_64' } } },
      message: /either TargetDevice or TargetPlatform, and not both/,
    },
    {
      given: 'an output that is no bucket here',
      changes: { OutputConfig: { S3OutputLocation: 'https://elsewhere/x' } },
      message: /S3OutputLocation "https:\/\/elsewhere\/x" must be s3:/,
    },
    {
      given: 'security groups',
      changes: { VpcConfig: { SecurityGroupIds: ['sg-1'], Subnets: ['s-1'] } },
      message: /does not offer security groups and subnets; 'vpcConfig' asks for it/,
    },
  ]) {
    test(`refuses ${given}`, async () => {
      await using world = new ControlWorld()
      await world.refuses('CreateCompilationJob', aJobInput('job', changes), message)
    })
  }

  test('refuses both or none of InputConfig and ModelPackageVersionArn', async () => {
    await using world = new ControlWorld()
    const arn = 'arn:aws:sagemaker:us-east-1:000000000000:model-package/p/1'
    const both = aJobInput('job', { ModelPackageVersionArn: arn })
    const sentence = 'InputConfig and ModelPackageVersionArn cannot be specified at the same time.'
    await world.refuses('CreateCompilationJob', both, sentence)
    const { InputConfig: _, ...none } = aJobInput('job')
    const either = 'Either InputConfig or ModelPackageVersionArn must be specified.'
    await world.refuses('CreateCompilationJob', none, either)
  })

  test('a taken name is in use; tags are those of any resource', async () => {
    await using world = new ControlWorld()
    const input = { ...aJobInput('job'), Tags: [{ Key: 'k', Value: 'v' }] }
    await world.run('CreateCompilationJob', input)
    assert.deepEqual(await world.run('ListTags', { ResourceArn: `${ARN}/job` }), {
      Tags: [{ Key: 'k', Value: 'v' }],
    })
    await assert.rejects(world.run('CreateCompilationJob', aJobInput('JOB')), (error) => {
      assert.ok(isBerthError(error))
      return error.code === 'ResourceInUse'
    })
  })
})

test('lists begin with the oldest, filter by status and page', async () => {
  await using world = new ControlWorld()
  for (const name of ['a', 'b', 'c']) {
    await world.run('CreateCompilationJob', aJobInput(name))
    await world.clock.advance(1000)
  }
  await world.run('StopCompilationJob', { CompilationJobName: 'b' })
  const names = ({ CompilationJobSummaries: list }: Wire): unknown =>
    (list as Wire[]).map((one) => one['CompilationJobName'])
  const first = await world.run('ListCompilationJobs', { MaxResults: 2 })
  assert.deepEqual(names(first), ['a', 'b'])
  const second = await world.run('ListCompilationJobs', {
    MaxResults: 2,
    NextToken: first['NextToken'],
  })
  assert.deepEqual(names(second), ['c'])
  assert.equal(second['NextToken'], undefined)
  const stopping = await world.run('ListCompilationJobs', { StatusEquals: 'STOPPING' })
  assert.deepEqual(stopping['CompilationJobSummaries'], [
    {
      CompilationJobName: 'b',
      CompilationJobArn: `${ARN}/b`,
      CompilationJobStatus: 'STOPPING',
      CompilationTargetDevice: 'ml_c5',
      CreationTime: (START_MS + 1000) / 1000,
      LastModifiedTime: (START_MS + 3000) / 1000,
    },
  ])
})
