import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aModelInput, ControlWorld, START_MS } from '../../../test/fixtures/control-world.ts'
import type { Wire } from '../../../test/fixtures/control-world.ts'

const ARN = 'arn:aws:sagemaker:us-east-1:000000000000:model'

describe('CreateModel', () => {
  test('answers the ARN in lower case and keeps the name', async () => {
    await using world = new ControlWorld()
    const reply = await world.run('CreateModel', aModelInput('Digits-1'))
    assert.deepEqual(reply, { ModelArn: `${ARN}/digits-1` })
    const described = await world.run('DescribeModel', { ModelName: 'DIGITS-1' })
    assert.deepEqual(described, {
      ModelName: 'Digits-1',
      ModelArn: `${ARN}/digits-1`,
      PrimaryContainer: { Image: 'berth/echo' },
      EnableNetworkIsolation: false,
      CreationTime: START_MS / 1000,
      DeploymentRecommendation: { RecommendationStatus: 'NOT_APPLICABLE' },
    })
  })

  test('echoes what only matters on AWS', async () => {
    await using world = new ControlWorld()
    const input = {
      ...aModelInput('m', {
        ImageConfig: { RepositoryAccessMode: 'Platform' },
        Environment: { A: '1' },
        Mode: 'SingleModel',
      }),
      ExecutionRoleArn: 'arn:aws:iam::000000000000:role/any',
    }
    await world.run('CreateModel', { ...input, Tags: [{ Key: 'k', Value: 'v' }] })
    const described = await world.run('DescribeModel', { ModelName: 'm' })
    assert.deepEqual(described['PrimaryContainer'], input['PrimaryContainer' as keyof typeof input])
    assert.equal(described['ExecutionRoleArn'], input.ExecutionRoleArn)
    assert.equal(described['Tags'], undefined)
    const tags = await world.run('ListTags', { ResourceArn: `${ARN}/m` })
    assert.deepEqual(tags, { Tags: [{ Key: 'k', Value: 'v' }] })
  })

  const sources: { given: Wire; stored: unknown }[] = [
    { given: {}, stored: undefined },
    {
      given: { ModelDataUrl: 's3://b/m.tar.gz' },
      stored: { kind: 'archive', url: 's3://b/m.tar.gz' },
    },
    {
      given: s3Data('s3://b/m.tar.gz', 'S3Object', 'Gzip'),
      stored: { kind: 'archive', url: 's3://b/m.tar.gz' },
    },
    {
      given: s3Data('s3://b/model.onnx', 'S3Object', 'None'),
      stored: { kind: 'object', url: 's3://b/model.onnx' },
    },
    {
      given: s3Data('s3://b/folder/', 'S3Prefix', 'None'),
      stored: { kind: 'prefix', url: 's3://b/folder/' },
    },
  ]
  for (const { given, stored } of sources) {
    test(`model data ${JSON.stringify(given)}`, async () => {
      await using world = new ControlWorld()
      await world.run('CreateModel', aModelInput('m', given))
      const model = await world.store.findModel('m')
      assert.deepEqual(model?.containers[0]?.modelData, stored)
    })
  }

  const refused: { given: string; input: Wire; message: string | RegExp }[] = [
    {
      given: 'no container',
      input: { ModelName: 'm' },
      message: 'CreateModel needs either PrimaryContainer or Containers, and not both.',
    },
    {
      given: 'both forms of container',
      input: { ...aModelInput('m'), Containers: [{ Image: 'berth/echo' }] },
      message: 'CreateModel needs either PrimaryContainer or Containers, and not both.',
    },
    {
      given: 'no image',
      input: { ModelName: 'm', PrimaryContainer: {} },
      message: "'primaryContainer.image' is required.",
    },
    {
      given: 'an image nobody can run',
      input: aModelInput('m', { Image: 'example.org/model:1' }),
      message:
        'Requested image example.org/model:1 not found. Images of this installation: berth/onnx, berth/echo.',
    },
    {
      given: 'model data that is not there',
      input: aModelInput('m', { ModelDataUrl: 's3://b/missing.tar.gz' }),
      message: 'Could not find model data at s3://b/missing.tar.gz.',
    },
    {
      given: 'a name with a dot',
      input: aModelInput('a.b'),
      message:
        /^1 validation error detected: Value 'a\.b' at 'modelName' failed to satisfy constraint/,
    },
    { given: 'an empty name', input: aModelInput(''), message: /^1 validation error detected/ },
    {
      given: 'two sources of model data',
      input: aModelInput('m', {
        ModelDataUrl: 's3://b/a',
        ...s3Data('s3://b/a', 'S3Object', 'None'),
      }),
      message: /only one of them may be given/,
    },
    {
      given: 'a prefix without a slash',
      input: aModelInput('m', s3Data('s3://b/folder', 'S3Prefix', 'None')),
      message: /must end with "\/"/,
    },
    {
      given: 'an object with a slash',
      input: aModelInput('m', s3Data('s3://b/folder/', 'S3Object', 'None')),
      message: /must not end with "\/"/,
    },
    {
      given: 'a compressed prefix',
      input: aModelInput('m', s3Data('s3://b/folder/', 'S3Prefix', 'Gzip')),
      message: 'CompressionType Gzip needs S3DataType S3Object.',
    },
    {
      given: 'a reserved tag key',
      input: { ...aModelInput('m'), Tags: [{ Key: 'AWS:x', Value: '' }] },
      message: 'Tag key "AWS:x" is not allowed: the prefix "aws:" is reserved.',
    },
    {
      given: 'one tag key twice',
      input: {
        ...aModelInput('m'),
        Tags: [1, 2].map((value) => ({ Key: 'k', Value: `${value}` })),
      },
      message: 'Tag key "k" was non-unique within the request.',
    },
    {
      given: 'a large environment',
      input: aModelInput('m', {
        Environment: Object.fromEntries(
          Array.from({ length: 40 }, (_, at) => [`K${at}`, 'x'.repeat(1000)]),
        ),
      }),
      message: /32768 are allowed/,
    },
    {
      given: 'an environment value of too many bytes, though not characters',
      input: aModelInput('m', { Environment: { K: 'é'.repeat(600) } }),
      message: /may have 1024 bytes each/,
    },
  ]
  for (const { given, input, message } of refused) {
    test(`refuses ${given}`, async () => {
      await using world = new ControlWorld()
      await world.refuses('CreateModel', input, message)
      assert.equal(await world.store.findModel('m'), undefined)
    })
  }

  test('refuses a name that is taken in another case', async () => {
    await using world = new ControlWorld()
    await world.run('CreateModel', aModelInput('digits'))
    await world.refuses(
      'CreateModel',
      aModelInput('Digits'),
      `Cannot create already existing model "${ARN}/digits".`,
    )
  })

  test('several containers are a pipeline, with names by their position', async () => {
    await using world = new ControlWorld()
    const Containers = [{ Image: 'berth/echo' }, { Image: 'berth/echo' }]
    await world.run('CreateModel', { ModelName: 'm', Containers })
    const model = await world.store.findModel('m')
    assert.equal(model?.executionMode, 'Serial')
    const hostnames = model?.containers.map(({ hostname }) => hostname)
    assert.deepEqual(hostnames, ['container-1', 'container-2'])
    const named = { Containers: [{ Image: 'berth/echo', ContainerHostname: 'a' }, ...Containers] }
    await world.refuses(
      'CreateModel',
      { ModelName: 'n', ...named },
      /'containers\.2\.member\.containerHostname' is missing/,
    )
  })

  const direct: { given: string; Containers: Wire[]; refusal: RegExp }[] = [
    {
      given: 'a container without a hostname',
      Containers: [{ Image: 'berth/echo', ContainerHostname: 'a' }, { Image: 'berth/echo' }],
      refusal: /'containers\.2\.member\.containerHostname' is missing: Mode Direct needs one/,
    },
    {
      given: 'two containers of one hostname',
      Containers: ['a', 'a'].map((ContainerHostname) => ({
        Image: 'berth/echo',
        ContainerHostname,
      })),
      refusal: /The container hostname "a" was non-unique within the request\./,
    },
    {
      given: 'sixteen containers',
      Containers: Array.from({ length: 16 }, (_, at) => {
        return { Image: 'berth/echo', ContainerHostname: `c${at}` }
      }),
      refusal: /'containers' failed to satisfy constraint.*less than or equal to 15/,
    },
    {
      given: 'a multi-model container',
      Containers: [
        {
          Image: 'berth/onnx',
          ContainerHostname: 'a',
          Mode: 'MultiModel',
          ModelDataUrl: 's3://b/many/',
        },
      ],
      refusal: /'containers\.1\.member\.mode' is MultiModel/,
    },
  ]
  for (const { given, Containers, refusal } of direct) {
    test(`containers that callers name are refused with ${given}`, async () => {
      await using world = new ControlWorld()
      const InferenceExecutionConfig = { Mode: 'Direct' }
      const input = { ModelName: 'm', InferenceExecutionConfig, Containers }
      await world.refuses('CreateModel', input, refusal)
    })
  }

  test('one container of a pipeline may serve many models, and no second one', async () => {
    await using world = new ControlWorld()
    const many = { Image: 'berth/onnx', Mode: 'MultiModel', ModelDataUrl: 's3://b/many/' }
    const echo = { Image: 'berth/echo' }
    await world.run('CreateModel', { ModelName: 'm', Containers: [echo, many] })
    await world.refuses(
      'CreateModel',
      { ModelName: 'n', Containers: [many, echo, many] },
      /^'containers\.1\.member\.mode' and 'containers\.3\.member\.mode' are MultiModel; a pipeline may have one/,
    )
  })

  test('a primary container cannot be named by callers', async () => {
    await using world = new ControlWorld()
    const input = { ...aModelInput('m'), InferenceExecutionConfig: { Mode: 'Direct' } }
    await world.refuses('CreateModel', input, /Mode Direct needs 'containers'/)
  })

  test('one element in Containers is a model like any other', async () => {
    await using world = new ControlWorld()
    const Containers = [{ Image: 'berth/echo', ContainerHostname: 'first' }]
    await world.run('CreateModel', { ModelName: 'm', Containers })
    const described = await world.run('DescribeModel', { ModelName: 'm' })
    assert.deepEqual(described['Containers'], Containers)
    assert.equal(described['PrimaryContainer'], undefined)
  })
})

describe('DescribeModel and DeleteModel', () => {
  for (const operation of ['DescribeModel', 'DeleteModel']) {
    test(`${operation} of an unknown model names its ARN`, async () => {
      await using world = new ControlWorld()
      await world.refuses(operation, { ModelName: 'Nope' }, `Could not find model "${ARN}/nope".`)
    })
  }

  test('a deleted model is gone with its tags', async () => {
    await using world = new ControlWorld()
    await world.run('CreateModel', aModelInput('m'))
    assert.deepEqual(await world.run('DeleteModel', { ModelName: 'M' }), {})
    await world.refuses('DescribeModel', { ModelName: 'm' }, /^Could not find model/)
    await world.refuses('ListTags', { ResourceArn: `${ARN}/m` }, /^Could not find resource/)
  })
})

describe('tags', () => {
  test('are added, replaced, listed and deleted', async () => {
    await using world = new ControlWorld()
    await world.run('CreateModel', aModelInput('m'))
    const ResourceArn = `${ARN}/m`
    await world.run('AddTags', { ResourceArn, Tags: [{ Key: 'a', Value: '1' }] })
    const Tags = [
      { Key: 'a', Value: '2' },
      { Key: 'b', Value: '' },
    ]
    assert.deepEqual(await world.run('AddTags', { ResourceArn, Tags }), { Tags })
    assert.deepEqual(await world.run('DeleteTags', { ResourceArn, TagKeys: ['a', 'none'] }), {})
    assert.deepEqual(await world.run('ListTags', { ResourceArn: `${ARN}/M` }), {
      Tags: [{ Key: 'b', Value: '' }],
    })
  })

  test('more than fifty are refused and change nothing', async () => {
    await using world = new ControlWorld()
    const Tags = Array.from({ length: 50 }, (_, at) => ({ Key: `k${at}`, Value: '' }))
    await world.run('CreateModel', { ...aModelInput('m'), Tags })
    const input = { ResourceArn: `${ARN}/m`, Tags: [{ Key: 'one-more', Value: '' }] }
    await world.refuses('AddTags', input, /would have 51 tags/)
    const listed = await world.run('ListTags', { ResourceArn: `${ARN}/m` })
    assert.deepEqual(listed['Tags'], Tags)
  })

  for (const arn of [`${ARN}/none`, ARN.replace('us-east-1', 'eu-west-1') + '/m', `${ARN}-x/m`]) {
    test(`of ${arn} do not exist`, async () => {
      await using world = new ControlWorld()
      await world.refuses('ListTags', { ResourceArn: arn }, `Could not find resource "${arn}".`)
    })
  }

  test('a token is refused, since there never is a second page', async () => {
    await using world = new ControlWorld()
    await world.run('CreateModel', aModelInput('m'))
    const input = { ResourceArn: `${ARN}/m`, NextToken: 'x' }
    await world.refuses('ListTags', input, /^Invalid pagination token because "/)
  })
})

function s3Data(S3Uri: string, S3DataType: string, CompressionType: string): Wire {
  return { ModelDataSource: { S3DataSource: { S3Uri, S3DataType, CompressionType } } }
}
