import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'

import { DescribeEndpointCommand, waitUntilEndpointInService } from '@aws-sdk/client-sagemaker'

import { ensurePythonEnvironment } from '../../../scripts/python-env.ts'
import { disposeBerth, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { createEndpoint } from '../../support/serving.ts'
import { digitsModel, packModel, uploadModel } from '../../support/upload.ts'

// Waiters look once and sleep 30 s: who is not answered at the first look takes longer than this.
const WAIT_MS_MAX = 29_000
// The longest there is, for a machine that takes longer than usual. On one that takes longer still there is a second look.
const HOLD_MS = 20_000
const environment = { BERTH_DESCRIBE_HOLD_MS: `${HOLD_MS}` }

const python = await ensurePythonEnvironment()
let berth: RunningBerth
let modelDataUrl: string
before(async () => {
  berth = await startBerth({ environment })
  const archive = await packModel({ 'model.onnx': digitsModel() })
  modelDataUrl = await uploadModel(berth, 'digits.tar.gz', archive)
})
after(() => disposeBerth(berth))

test('the JavaScript SDK waiter ends at its first look', async () => {
  await createEndpoint(berth, { name: 'javascript', image: 'berth/onnx', modelDataUrl })
  const startedAtMs = performance.now()
  const { state } = await waitUntilEndpointInService(
    { client: berth.sagemaker, maxWaitTime: 120 },
    { EndpointName: 'javascript' },
  )
  assert.equal(state, 'SUCCESS')
  await assertShort('javascript', performance.now() - startedAtMs)
})

const reason = 'skipped' in python ? python.skipped : false
test('the boto3 waiter ends at its first look', { skip: reason }, async () => {
  if ('skipped' in python) return
  await createEndpoint(berth, { name: 'boto', image: 'berth/onnx', modelDataUrl })
  const wait = `
import boto3, time
started = time.monotonic()
boto3.client("sagemaker").get_waiter("endpoint_in_service").wait(EndpointName="boto")
print(time.monotonic() - started)`
  const { accessKeyId, secretAccessKey } = berth.credentials
  const child = spawn(python.python, ['-c', wait], {
    env: {
      PATH: process.env['PATH'],
      AWS_ENDPOINT_URL: berth.url,
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  await assertShort('boto', Number(output) * 1000)
})

async function assertShort(EndpointName: string, tookMs: number): Promise<void> {
  const describe = new DescribeEndpointCommand({ EndpointName })
  const { CreationTime, LastModifiedTime } = await berth.sagemaker.send(describe)
  const creationMs = Number(LastModifiedTime) - Number(CreationTime)
  assert.ok(
    tookMs < WAIT_MS_MAX || creationMs > HOLD_MS,
    `the waiter took ${Math.round(tookMs)} ms for an endpoint that took ${creationMs} ms`,
  )
}
