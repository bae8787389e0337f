import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'

import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  ModelError,
} from '@aws-sdk/client-sagemaker-runtime'

import { askInTime } from '../support/ask-in-time.ts'
import { disposeBerth, installationPids, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { TEST_PACKAGE } from '../support/node-packages.ts'
import { runCli } from '../support/run-cli.ts'
import { createEndpoint, serveEndpoint, untilSettled } from '../support/serving.ts'
import { packModel, uploadModel } from '../support/upload.ts'
import { until } from '../support/until.ts'

const EXITED = 'The primary container for production variant AllTraffic exited with code'

const HANDLER = `
import { threadId } from 'node:worker_threads'
export async function predictFn(what: string, _model: unknown, { signal }: { signal: AbortSignal }) {
  console.log('asked to', what)
  if (what === 'throw') throw new RangeError('no such wine')
  if (what === 'exit') process.exit(3)
  if (what === 'spin') while (true);
  if (what === 'heed') await new Promise((_, reject) => signal.addEventListener('abort', () => { console.log('it was told to stop'); reject(signal.reason) }))
  if (what === 'stream') return parts()
  return { thread: threadId }
}
async function* parts() {
  yield 'one '
  yield 'two'
}
`

let berth: RunningBerth
before(async () => {
  berth = await startBerth({ environment: { BERTH_INVOCATION_TIMEOUT_MS: '2000' } })
  const modelDataUrl = await upload('obedient', { 'code/inference.ts': HANDLER })
  const environment = { SAGEMAKER_MODEL_SERVER_WORKERS: '1' }
  await serveEndpoint(berth, { name: 'obedient', image: 'berth/node', modelDataUrl, environment })
})
after(() => disposeBerth(berth))

async function upload(
  name: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  return uploadModel(berth, `${name}.tar.gz`, await packModel(files))
}

async function orderOnce(what: string): Promise<string> {
  const command = new InvokeEndpointCommand({
    EndpointName: 'obedient',
    ContentType: 'application/json',
    Body: Buffer.from(JSON.stringify(what)),
  })
  return (await berth.runtime.send(command)).Body.transformToString()
}

const order = (what: string): Promise<string> => askInTime(() => orderOnce(what))

async function modelErrorOf(answer: Promise<unknown>): Promise<ModelError> {
  const error = await answer.then(
    () => assert.fail('It was answered.'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ModelError, String(error))
  return error
}

const cli = (args: readonly string[]) => {
  const environment = {
    AWS_ENDPOINT_URL: berth.url,
    AWS_ACCESS_KEY_ID: berth.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: berth.credentials.secretAccessKey,
    AWS_REGION: 'us-east-1',
  }
  return runCli(args, { environment })
}

async function logs(): Promise<string> {
  return (await cli(['logs', 'obedient'])).stdout
}

async function untilAnswered(): Promise<void> {
  await until('an answer', () =>
    orderOnce('say').then(
      () => true,
      () => false,
    ),
  )
}

suite('user code in TypeScript on an endpoint', () => {
  test('a throw is a ModelError with the stack as original message, and is in the log', async () => {
    const error = await modelErrorOf(order('throw'))
    assert.equal(error.OriginalStatusCode, 500)
    assert.match(
      error.OriginalMessage ?? '',
      /^no such wine\nRangeError: no such wine\n {4}at predictFn/,
    )
    await until('the log', async () =>
      /asked to throw\n[^]*RangeError: no such wine/.test(await logs()),
    )
  })

  test('a generator streams', async () => {
    const command = new InvokeEndpointWithResponseStreamCommand({
      EndpointName: 'obedient',
      ContentType: 'application/json',
      Body: Buffer.from('"stream"'),
    })
    const text = await askInTime(async () => {
      let streamed = ''
      for await (const { PayloadPart } of (await berth.runtime.send(command)).Body ?? []) {
        streamed += Buffer.from(PayloadPart?.Bytes ?? []).toString()
      }
      return streamed
    })
    assert.equal(text, 'one two')
  })

  for (const what of ['exit', 'spin']) {
    test(`a handler that takes its thread with it (${what}): ModelError, then answers from another`, async () => {
      await modelErrorOf(orderOnce(what))
      await untilAnswered()
    })
  }

  test('at the invocation’s deadline the handler’s signal aborts', async () => {
    const before = await order('say')
    await until('the handler to be asked before the deadline', async () => {
      await modelErrorOf(orderOnce('heed'))
      return (await logs()).includes('asked to heed')
    })
    await until('the log', async () => (await logs()).includes('it was told to stop'))
    assert.equal(await order('say'), before, 'the thread stays')
  })
})

suite('an endpoint of Node that cannot start is Failed with the cause', () => {
  const CASES = [
    {
      given: 'a syntax error',
      name: 'syntax',
      files: { 'code/inference.ts': 'const a = 1\nexport const b: = 2\n' },
      reason: new RegExp(
        `^${EXITED} 22; last log lines:\n[^]*code/inference\\.ts line 2: SyntaxError`,
      ),
    },
    {
      given: 'a package that cannot be installed',
      name: 'no-package',
      files: {
        'code/inference.ts': '',
        'code/package.json': '{"dependencies": {"berth-no-such": "file:./nowhere.tgz"}}',
      },
      reason: new RegExp(
        `^${EXITED} 26; last log lines:\n[^]*code/package\\.json cannot be installed`,
      ),
    },
  ]
  for (const { given, name, files, reason } of CASES) {
    test(given, async () => {
      const modelDataUrl = await upload(name, files)
      await createEndpoint(berth, { name, image: 'berth/node', modelDataUrl })
      const { EndpointStatus, FailureReason = '' } = await untilSettled(berth, name)
      assert.equal(EndpointStatus, 'Failed')
      assert.match(FailureReason, reason)
    })
  }

  test('two instances at once install their packages once', async () => {
    const modelDataUrl = await upload('packaged', {
      ...TEST_PACKAGE,
      'code/package.json': '{"dependencies": {"berth-test-answers": "file:./vendor/answers"}}',
      'code/inference.ts':
        "import { ANSWER } from 'berth-test-answers'\nexport const predictFn = () => ANSWER\n",
    })
    const deployable = { name: 'packaged', image: 'berth/node', modelDataUrl, instanceCount: 2 }
    await createEndpoint(berth, deployable)
    const { EndpointStatus } = await untilSettled(berth, 'packaged')
    assert.equal(EndpointStatus, 'InService')
    const packages = readdirSync(join(berth.dataDir, 'node'))
    assert.equal(packages.filter((name) => name !== '.locks').length, 1)
  })
})

test('berth deploy --env gives the container its variables, and refuses what is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-deploy-env-'))
  const deploy = (...flags: readonly string[]) =>
    cli(['deploy', folder, '--name', 'told', ...flags])
  try {
    mkdirSync(join(folder, 'code'))
    const shown = '{ limit: process.env.LIMIT, empty: process.env.EMPTY, sum: process.env.SUM }'
    const handler = `export const predictFn = () => (${shown})\n`
    writeFileSync(join(folder, 'code/inference.ts'), handler)
    const refused = await deploy('--env', 'LIMIT')
    assert.equal(refused.exitCode, 2)
    assert.match(refused.stderr, /LIMIT/)
    const deployed = await deploy('--env', 'LIMIT=5', '--env', 'EMPTY=', '--env', 'SUM=a=b')
    assert.equal(deployed.exitCode, 0, deployed.stderr)
    const stdout = await askInTime(async () => {
      const invoked = await cli(['invoke', 'told', '--body', '1'])
      if (invoked.exitCode !== 0) throw new Error(invoked.stderr)
      return invoked.stdout
    })
    assert.deepEqual(JSON.parse(stdout), { limit: '5', empty: '', sum: 'a=b' })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('an orderly stop leaves no process', async () => {
  assert.ok(existsSync(berth.dataDir))
  assert.equal(await berth.stop(), 0)
  assert.deepEqual(installationPids(berth.dataDir), [])
})
