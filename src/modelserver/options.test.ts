import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEchoOrders, parseEchoSettings } from './echo/echo-settings.ts'
import { parseOptions } from './options.ts'

test('defaults are the container contract’s: port 8080 and /opt/ml/model', () => {
  const options = parseOptions(['--image', 'berth/onnx'], {})
  assert.deepEqual(options.address, { port: 8080 })
  assert.equal(options.modelDirectory, '/opt/ml/model')
  assert.equal(options.workerCount, 1)
  assert.equal(options.idleExitMs, 0)
})

test('SAGEMAKER_BIND_TO_PORT names the port, a socket goes before it', () => {
  const env = { SAGEMAKER_BIND_TO_PORT: '9001' }
  assert.deepEqual(parseOptions(['--image', 'berth/echo'], env).address, { port: 9001 })
  const args = ['--image', 'berth/echo', '--socket', '/tmp/a']
  assert.deepEqual(parseOptions(args, env).address, { socketPath: '/tmp/a' })
})

test('every problem is in one message', () => {
  const args = ['--image', 'x', '--workers', '0', '--body-bytes-max', 'many']
  const message =
    /--image .*not x; SAGEMAKER_BIND_TO_PORT .*not 70000; --workers .*not 0; --body-bytes-max .*not many$/
  assert.throws(() => parseOptions(args, { SAGEMAKER_BIND_TO_PORT: '70000' }), {
    reason: 'badOptions',
    message,
  })
})

test('an unknown option is refused', () => {
  assert.throws(() => parseOptions(['--imgae', 'x'], {}), {
    reason: 'badOptions',
    message: /imgae/,
  })
})

test('echo settings out of bounds are refused by name', () => {
  const env = { BERTH_ECHO_PING_STATUS: '99', BERTH_ECHO_PING_THEN: 'dance' }
  assert.throws(() => parseEchoSettings(env), {
    message: /BERTH_ECHO_PING_STATUS .*; BERTH_ECHO_PING_THEN/,
  })
})

test('echo orders: known keys are read, unknown ones left alone, bad values refused', () => {
  const orders = parseEchoOrders('trace=abc; status=404;chunks=5;break-after=0')
  assert.equal(orders.status, 404)
  assert.equal(orders.chunkCount, 5)
  assert.equal(orders.breakAfterCount, 0)
  assert.throws(() => parseEchoOrders('status=abc'), { status: 400, message: /status must be/ })
})
