import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import {
  CreateEndpointConfigCommand,
  CreateModelCommand,
  ListEndpointConfigsCommand,
  ListModelsCommand,
} from '@aws-sdk/client-sagemaker'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { runCli } from '../support/run-cli.ts'
import { until } from '../support/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const MODELS = join(ROOT, 'test/fixtures/models')

let berth: RunningBerth
before(async () => void (berth = await startBerth()))
after(() => disposeBerth(berth))

const run = (...args: readonly string[]) => runCli([...args, '--data-dir', berth.dataDir])

describe('a model from file to answer and back', () => {
  test('deploy makes an endpoint that invoke gets the right answer from', async () => {
    const deployed = await run('deploy', join(MODELS, 'affine.onnx'), '--name', 'affine', '--json')
    assert.equal(deployed.exitCode, 0, deployed.stderr)
    assert.equal(JSON.parse(deployed.stdout).action, 'created')
    const body = JSON.stringify({ instances: [[1, 2, 3]] })
    const answered = await run('invoke', 'affine', '--body', body, '--json')
    assert.equal(answered.exitCode, 0, answered.stderr)
    const { variant, body: answer } = JSON.parse(answered.stdout)
    assert.equal(variant, 'AllTraffic')
    // 1·1 + 2·2 + 3·3 + 0.5 and 1·4 + 2·5 + 3·6 − 0.5
    assert.deepEqual(answer, { predictions: [[14.5, 31.5]] })
    const streamed = await run('invoke', 'affine', '--body', body, '--stream')
    assert.deepEqual(JSON.parse(streamed.stdout), answer)
  })

  test('deploying it again updates the endpoint and leaves nothing of the first deploy', async () => {
    const first = await leftovers()
    const again = await run('deploy', join(MODELS, 'external.onnx'), '--name', 'affine', '--json')
    assert.equal(JSON.parse(again.stdout).action, 'updated')
    const second = await leftovers()
    assert.equal(second.length, 3, second.join())
    assert.deepEqual(
      second.filter((name) => first.includes(name)),
      [],
    )
  })

  test('a deploy that fails says why, keeps what served, and leaves nothing', async () => {
    const kept = await leftovers()
    const failed = await run('deploy', join(MODELS, 'opset99.onnx'), '--name', 'affine')
    assert.equal(failed.exitCode, 1)
    assert.match(failed.stderr, /serves what it served before\. .*opset 99/s)
    assert.deepEqual(await leftovers(), kept)
    const answered = await run('invoke', 'affine', '--body', '1,2,3')
    assert.equal(answered.exitCode, 0, answered.stderr)
  })

  test('a deploy the service refuses leaves nothing', async () => {
    const kept = await leftovers()
    const args = ['deploy', join(MODELS, 'affine.onnx'), '--name', 'other', '--image', 'nginx']
    const refused = await run(...args)
    assert.equal(refused.exitCode, 1)
    assert.match(refused.stderr, /ValidationException: Requested image nginx not found/)
    const misnamed = await run('deploy', join(MODELS, 'affine.onnx'), '--name', 'no name')
    assert.equal(misnamed.exitCode, 1)
    assert.match(misnamed.stderr, /Value 'no name' at 'endpointName'/)
    assert.deepEqual(await leftovers(), kept)
  })

  test('an endpoint that failed to start is replaced by the next deploy of its name', async () => {
    const failed = await run('deploy', join(MODELS, 'opset99.onnx'), '--name', 'second')
    assert.equal(failed.exitCode, 1)
    assert.match(failed.stderr, /second did not start\. .*opset 99/s)
    const repaired = await run('deploy', join(MODELS, 'affine.onnx'), '--name', 'second', '--json')
    assert.equal(repaired.exitCode, 0, repaired.stderr)
    assert.equal((await leftovers()).filter((name) => name.includes('second')).length, 3)
  })

  test('list, describe and logs show what is there', async () => {
    const rows = JSON.parse((await run('list', '--json')).stdout)
    assert.deepEqual(
      rows.map(({ name, status, instances }: Record<string, unknown>) => [name, status, instances]),
      [
        ['second', 'InService', 1],
        ['affine', 'InService', 1],
      ],
    )
    const described = (await run('describe', 'affine')).stdout
    assert.match(described, /^affine {2}InService\n/)
    assert.match(described, /\nAllTraffic +affine-\S+ +berth\/onnx +ml\.m5\.large +1 +1\n/)
    assert.match(described, /\n[0-9a-f]{20} +AllTraffic \(\d+\) +ready +\d+ /)
    assert.match(described, /ago {2}status-changed {2}/)
    // Instances of the deploys before may still be ending.
    const platform = await until('the instances of both alone', async () => {
      const shown = JSON.parse((await run('describe', '--platform', '--json')).stdout)
      return shown.instances.length === 2 && shown
    })
    assert.equal(platform.control.pid, berth.control.pid)
    assert.equal(platform.gateways.length, 1)
    assert.match(
      (await run('logs', 'affine')).stdout,
      /^AllTraffic\/[0-9a-f]{20} \d{4}-\S+Z info model loaded signature=/m,
    )
  })

  test('logs --follow prints a line when it is written, and Ctrl-C ends it', async () => {
    const platform = JSON.parse((await run('describe', '--platform', '--json')).stdout)
    const instance = platform.instances.find(
      ({ endpointName }: Record<string, unknown>) => endpointName === 'affine',
    )
    const args = ['logs', 'affine', '--follow', '--lines', '1', '--data-dir', berth.dataDir]
    const follower = spawn(process.execPath, [join(ROOT, 'src/cli/main.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(follower, 'exit')
    const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]()
    // The last line so far shows that the stream stands; the next one is the instance's answer to the signal.
    try {
      assert.match((await lines.next()).value ?? '', /^AllTraffic\//)
      process.kill(instance.pid, 'SIGTERM')
      assert.match((await lines.next()).value ?? '', /^AllTraffic\/[0-9a-f]{20} .*draining/)
    } finally {
      follower.kill('SIGINT')
    }
    assert.deepEqual(await ended, [null, 'SIGINT'])
  })

  test('delete removes the endpoint and what deploy made, and nothing of others', async () => {
    const names = { ModelName: 'mine', EndpointConfigName: 'mine' }
    const model = { ...names, PrimaryContainer: { Image: 'berth/echo' } }
    await berth.sagemaker.send(new CreateModelCommand(model))
    const variant = { VariantName: 'a', ModelName: 'mine', InitialInstanceCount: 1 }
    const ProductionVariants = [{ ...variant, InstanceType: 'ml.m5.large' as const }]
    await berth.sagemaker.send(new CreateEndpointConfigCommand({ ...names, ProductionVariants }))
    for (const name of ['affine', 'second']) {
      const deleted = await run('delete', name)
      assert.equal(deleted.exitCode, 0, deleted.stderr)
    }
    assert.deepEqual(await leftovers(), ['mine', 'mine'])
    const gone = await run('delete', 'affine')
    assert.equal(gone.exitCode, 3)
    assert.equal((await run('describe', 'affine')).exitCode, 3)
  })
})

test('doctor sees the Berth that runs and that its port is held by it', async () => {
  const { stdout, exitCode } = await run('doctor', '--port', String(berth.port), '--json')
  assert.equal(exitCode, 0, stdout)
  const findings = JSON.parse(stdout) as { subject: string; level: string; message: string }[]
  const messageOf = (subject: string) => findings.find((each) => each.subject === subject)?.message
  assert.match(messageOf('lock') ?? '', /A Berth is running/)
  assert.match(messageOf(`port ${berth.port}`) ?? '', /Held by the Berth of this data directory/)
  assert.match(messageOf('running berth') ?? '', /answers/)
})

test('doctor names the program that holds the port', async () => {
  const args = [
    'doctor',
    '--port',
    String(berth.port),
    '--data-dir',
    '/nonexistent/other',
    '--json',
  ]
  const { stdout, exitCode } = await runCli(args)
  assert.equal(exitCode, 1)
  assert.match(stdout, /Held by \S+ \(pid \d+\)/)
})

/** Names of everything that exists beside endpoints: models, configs, archives. */
async function leftovers(): Promise<string[]> {
  const { Models = [] } = await berth.sagemaker.send(new ListModelsCommand({}))
  const { EndpointConfigs = [] } = await berth.sagemaker.send(new ListEndpointConfigsCommand({}))
  const Bucket = 'sagemaker-us-east-1-000000000000'
  const { Contents = [] } = await berth.s3.send(new ListObjectsV2Command({ Bucket }))
  return [
    ...Models.map(({ ModelName }) => ModelName ?? '?'),
    ...EndpointConfigs.map(({ EndpointConfigName }) => EndpointConfigName ?? '?'),
    ...Contents.map(({ Key }) => Key ?? '?'),
  ].toSorted()
}
