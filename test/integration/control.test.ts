import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  AddTagsCommand,
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
  CreateTransformJobCommand,
  DeleteEndpointCommand,
  DescribeEndpointCommand,
  DescribeModelCommand,
  ListModelsCommand,
  paginateListModels,
  ResourceNotFound,
  SageMakerClient,
  waitUntilEndpointDeleted,
  waitUntilEndpointInService,
} from '@aws-sdk/client-sagemaker'
import type { SageMakerServiceException } from '@aws-sdk/client-sagemaker'
import {
  InvokeEndpointAsyncCommand,
  SageMakerRuntimeClient,
} from '@aws-sdk/client-sagemaker-runtime'
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts'
import { signedFetch } from '../../src/cli/client/signed-fetch.ts'
import { ControlHarness, ROOT, ROOT_CLIENT } from './control-harness.ts'

const ARN = 'arn:aws:sagemaker:us-east-1:000000000000'
const control = new ControlHarness()
before(() => control.start())
after(() => control.close())

async function codeOf(call: Promise<unknown>): Promise<readonly [string, number | undefined]> {
  const error = await call.then(
    () => assert.fail('nothing was refused'),
    (thrown: unknown) => thrown as SageMakerServiceException,
  )
  return [error.name, error.$metadata?.httpStatusCode]
}

describe('the real SageMaker client', () => {
  test('creates, waits for and deletes an endpoint; the waiters end at their first look', async () => {
    const client = control.sagemaker()
    const { ModelArn, $metadata } = await client.send(
      new CreateModelCommand({ ModelName: 'M', PrimaryContainer: { Image: 'berth/echo' } }),
    )
    assert.equal(ModelArn, `${ARN}:model/m`)
    assert.match($metadata.requestId ?? '', /^[0-9a-f-]{36}$/)
    await client.send(
      new CreateEndpointConfigCommand({
        EndpointConfigName: 'C',
        ProductionVariants: [
          {
            VariantName: 'AllTraffic',
            ModelName: 'm',
            InstanceType: 'ml.m5.large',
            InitialInstanceCount: 1,
          },
        ],
      }),
    )
    await client.send(new CreateEndpointCommand({ EndpointName: 'Ep', EndpointConfigName: 'C' }))

    let lookCount = 0
    client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          if (commandName === 'DescribeEndpointCommand') lookCount += 1
          return next(args)
        },
      { step: 'initialize' },
    )
    const waiter = { client, maxWaitTime: 120 }
    const inService = waitUntilEndpointInService(waiter, { EndpointName: 'Ep' })
    await control.settleEndpoint()
    assert.equal((await inService).state, 'SUCCESS')
    assert.equal(lookCount, 1)
    const described = await client.send(new DescribeEndpointCommand({ EndpointName: 'ep' }))
    assert.equal(described.EndpointName, 'Ep')
    assert.ok(Math.abs((described.CreationTime?.getTime() ?? 0) - Date.now()) < 60_000)

    await client.send(new DeleteEndpointCommand({ EndpointName: 'Ep' }))
    lookCount = 0
    const deleted = waitUntilEndpointDeleted(waiter, { EndpointName: 'Ep' })
    await control.settleEndpoint()
    assert.equal((await deleted).state, 'SUCCESS')
    assert.equal(lookCount, 1)
  })

  test('pages through a list', async () => {
    const client = control.sagemaker()
    for (let at = 0; at < 5; at += 1) {
      const PrimaryContainer = { Image: 'berth/echo' }
      await client.send(new CreateModelCommand({ ModelName: `page-${at}`, PrimaryContainer }))
    }
    const names: unknown[] = []
    const pages = paginateListModels(
      { client, pageSize: 2 },
      { NameContains: 'PAGE-', SortBy: 'Name', SortOrder: 'Ascending' },
    )
    for await (const page of pages)
      names.push(...(page.Models ?? []).map((model) => model.ModelName))
    assert.deepEqual(names, ['page-0', 'page-1', 'page-2', 'page-3', 'page-4'])
  })

  test('raises the errors its users catch', async () => {
    const client = control.sagemaker()
    const unknown = client.send(new DescribeModelCommand({ ModelName: 'nope' }))
    await assert.rejects(unknown, (error: SageMakerServiceException) => {
      assert.equal(error.name, 'ValidationException')
      assert.equal(error.message, `Could not find model "${ARN}:model/nope".`)
      assert.equal(error.$metadata.httpStatusCode, 400)
      assert.ok(error.$metadata.requestId)
      return true
    })
    const tag = new AddTagsCommand({ ResourceArn: `${ARN}:model/nope`, Tags: [] })
    await assert.rejects(client.send(tag), ResourceNotFound)
    const notOffered = new CreateTransformJobCommand({
      TransformJobName: 'x',
      ModelName: 'x',
      TransformInput: undefined,
      TransformOutput: undefined,
      TransformResources: undefined,
    })
    assert.deepEqual(await codeOf(client.send(notOffered)), ['UnknownOperationException', 400])
    const runtime = new SageMakerRuntimeClient({ ...ROOT_CLIENT, endpoint: control.url })
    const invocation = new InvokeEndpointAsyncCommand({
      EndpointName: 'x',
      InputLocation: 's3://b/k',
    })
    assert.deepEqual((await codeOf(runtime.send(invocation)))[0], 'UnknownOperationException')
  })

  test('a bug is an InternalFailure whose id the log has too, and nothing else of it leaks', async () => {
    control.isStoreBroken = true
    try {
      const call = control.sagemaker().send(new ListModelsCommand({}))
      await assert.rejects(call, (error: SageMakerServiceException) => {
        assert.equal(error.name, 'InternalFailure')
        assert.equal(error.$metadata.httpStatusCode, 500)
        const errorId = error.$metadata.requestId ?? ''
        assert.ok(error.message.includes(errorId))
        assert.ok(!error.message.includes('secret'))
        assert.equal(control.logged.at(-1)?.fields['errorId'], errorId)
        return true
      })
    } finally {
      control.isStoreBroken = false
    }
  })
})

describe('nobody is answered', () => {
  const list = new ListModelsCommand({})
  const cases: [given: string, client: () => SageMakerClient, code: string][] = [
    [
      'with a wrong secret',
      () => control.sagemaker({ credentials: { ...ROOT, secretAccessKey: 'wrong' } }),
      'InvalidSignatureException',
    ],
    [
      'with an unknown key',
      () => control.sagemaker({ credentials: { ...ROOT, accessKeyId: 'AKIAUNKNOWN000000000' } }),
      'UnrecognizedClientException',
    ],
    [
      'of another region',
      () => control.sagemaker({ region: 'eu-west-1' }),
      'InvalidSignatureException',
    ],
  ]
  for (const [given, client, code] of cases) {
    test(`${given}`, async () => {
      assert.deepEqual(await codeOf(client().send(list)), [code, 400])
    })
  }

  const unsigned: [given: string, path: string, init: RequestInit, status: number, text: RegExp][] =
    [
      [
        'an operation',
        '/',
        { headers: { 'x-amz-target': 'SageMaker.ListModels' } },
        400,
        /"__type":"MissingAuthenticationTokenException"/,
      ],
      [
        'an unknown operation',
        '/',
        { headers: { 'x-amz-target': 'SageMaker.Nope' } },
        400,
        /"__type":"MissingAuthenticationTokenException"/,
      ],
      [
        'STS',
        '/',
        { method: 'POST', body: new URLSearchParams({ Action: 'GetCallerIdentity' }) },
        403,
        /<Code>MissingAuthenticationToken</,
      ],
      [
        'an own route',
        '/berth/platform',
        {},
        400,
        /"__type":"MissingAuthenticationTokenException"/,
      ],
    ]
  for (const [given, path, init, status, text] of unsigned) {
    test(`unsigned: ${given}`, async () => {
      const reply = await fetch(new URL(path, control.url), {
        method: 'POST',
        body: '{}',
        ...init,
        ...(path === '/' ? {} : { method: 'GET', body: null }),
      })
      assert.equal(reply.status, status)
      assert.match(await reply.text(), text)
      assert.ok(reply.headers.get('x-amzn-requestid'))
      assert.ok(Math.abs(Date.parse(reply.headers.get('date') ?? '') - Date.now()) < 60_000)
    })
  }

  test('but everybody may ask for health', async () => {
    const reply = await fetch(new URL('/berth/health', control.url))
    assert.deepEqual([reply.status, await reply.json()], [200, { status: 'ok' }])
  })

  test('who sends more than two megabytes', async () => {
    const text = 'x'.repeat(3 * 1024 * 1024)
    const create = new CreateModelCommand({
      ModelName: 'big',
      PrimaryContainer: { Image: 'berth/echo', Environment: { A: text } },
    })
    assert.deepEqual(await codeOf(control.sagemaker().send(create)), [
      'RequestEntityTooLargeException',
      400,
    ])
  })

  test('S3 requests go to the S3 face, whatever their signature', async () => {
    await (await fetch(new URL('/bucket/key', control.url))).text()
    assert.deepEqual(control.s3Targets, ['/bucket/key'])
  })
})

describe('the real STS client', () => {
  test('learns who it is', async () => {
    const { Arn, UserId, Account } = await control.sts().send(new GetCallerIdentityCommand({}))
    assert.deepEqual(
      [Arn, UserId, Account],
      ['arn:aws:iam::000000000000:root', '000000000000', '000000000000'],
    )
  })

  test('gets credentials of a role that work until they expire', async () => {
    const RoleArn = 'arn:aws:iam::000000000000:role/team/deployer'
    const reply = await control
      .sts()
      .send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'ci', DurationSeconds: 7200 }))
    const session = {
      accessKeyId: reply.Credentials?.AccessKeyId ?? '',
      secretAccessKey: reply.Credentials?.SecretAccessKey ?? '',
      sessionToken: reply.Credentials?.SessionToken ?? '',
    }
    const assumed = 'arn:aws:sts::000000000000:assumed-role/deployer/ci'
    assert.equal(reply.AssumedRoleUser?.Arn, assumed)
    const asRole = control.sts(session)
    const identity = await asRole.send(new GetCallerIdentityCommand({}))
    assert.equal(identity.Arn, assumed)
    assert.match(identity.UserId ?? '', /^AROA[A-Z2-7]{16}:ci$/)
    await control.sagemaker({ credentials: session }).send(new ListModelsCommand({}))

    const chained = { RoleArn, RoleSessionName: 'again' }
    await asRole.send(new AssumeRoleCommand(chained))
    const tooLong = asRole.send(new AssumeRoleCommand({ ...chained, DurationSeconds: 7200 }))
    assert.deepEqual(await codeOf(tooLong), ['ValidationError', 400])

    const swapped = { ...session, accessKeyId: ROOT.accessKeyId }
    const listAs = (credentials: object) =>
      control.sagemaker({ credentials }).send(new ListModelsCommand({}))
    assert.deepEqual(await codeOf(listAs(swapped)), ['UnrecognizedClientException', 400])
    control.clockSkewMs = 7_200_001
    try {
      const late = new SageMakerClient({
        ...ROOT_CLIENT,
        credentials: session,
        endpoint: control.url,
        systemClockOffset: control.clockSkewMs,
      })
      assert.deepEqual(await codeOf(late.send(new ListModelsCommand({}))), [
        'ExpiredTokenException',
        400,
      ])
    } finally {
      control.clockSkewMs = 0
    }
  })

  test('is refused a role of another account, a narrowed session and another action', async () => {
    const client = control.sts()
    const assume = (fields: object) =>
      client.send(
        new AssumeRoleCommand({
          RoleArn: 'arn:aws:iam::000000000000:role/r',
          RoleSessionName: 'ci',
          ...fields,
        }),
      )
    const foreign = { RoleArn: 'arn:aws:iam::111111111111:role/r' }
    assert.deepEqual(await codeOf(assume(foreign)), ['AccessDenied', 403])
    assert.deepEqual(await codeOf(assume({ Policy: '{}' })), ['ValidationError', 400])
    assert.deepEqual(await codeOf(assume({ RoleSessionName: 'x' })), ['ValidationError', 400])
    const other = signedFetch(control.target, {
      path: '/',
      service: 'sts',
      form: { Action: 'GetSessionToken', Version: '2011-06-15' },
    })
    await assert.rejects(other, /Could not find operation GetSessionToken/)
  })
})
