import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ModelServerProcess } from '../support/echo-container.ts'
import { askGraph as ask, startGraph } from '../support/graph-server.ts'

test('containers of the same instance are asked by frames, and again when they have come back', async () => {
  await using one = await ModelServerProcess.start(['--image=berth/echo'])
  const two = await ModelServerProcess.start(['--image=berth/echo'])
  await using stack = new AsyncDisposableStack()
  stack.use(two)
  const branches = { one: { container: 'one' }, two: { container: 'two' } }
  await using graph = await startGraph(
    { graph: { scatter: { branches, aggregate: 'mean', quorum: 1 } } },
    {
      siblings: [
        { hostname: 'one', path: one.socketPath },
        { hostname: 'two', path: two.socketPath },
      ],
    },
  )
  const both = await ask(graph.socketPath, '[1, 2]')
  assert.deepEqual(both.value, [1, 2])
  assert.deepEqual(Object.keys(Object(both.told).graph.ms).toSorted(), ['one', 'two'])

  const seen = await ask(graph.socketPath, '[1]', 'headers=1')
  assert.match(String(Object(seen.value).error), /Branch|prediction/)

  two.child.kill('SIGKILL')
  await two.exited
  const partial = await ask(graph.socketPath, '[3]')
  assert.deepEqual(partial.value, [3])
  assert.match(String(Object(partial.told).graph.missing.two), /container two/)

  await using again = await ModelServerProcess.start(['--image=berth/echo'], two.socketPath)
  assert.equal(again.socketPath, two.socketPath)
  const { told } = await ask(graph.socketPath, '[4]')
  assert.equal(Object(told).graph.missing, undefined)
})

test('a container that the model does not have is refused at the start', async () => {
  await assert.rejects(startGraph({ graph: { container: 'nobody' } }), /exit code 22/)
})

test('the first good answer ends the others; a breaker leaves a failing target alone', async () => {
  await using echo = await ModelServerProcess.start(['--image=berth/echo'])
  const breaker = { failures: 1, openMs: 60_000 }
  const slow = { container: 'echo', breaker, timeoutMs: 100 }
  const branches = { slow, quick: { expression: '"quick"' } }
  const siblings = [{ hostname: 'echo', path: echo.socketPath }]
  await using first = await startGraph(
    { graph: { scatter: { branches, aggregate: 'first-success' } } },
    { siblings },
  )
  assert.equal((await ask(first.socketPath, '1', 'hang=1')).value, 'quick')

  await using alone = await startGraph({ graph: slow }, { siblings })
  const late = await ask(alone.socketPath, '1', 'hang=1')
  assert.deepEqual(
    [late.status, Object(late.value).error],
    [504, 'Node graph gave no answer within 100 ms.'],
  )
  const refused = await ask(alone.socketPath, '1')
  assert.equal(refused.status, 503)
  assert.match(String(Object(refused.value).error), /keeps failing and is left alone for \d+ ms/)
})

test('a slow call is sent a second time, and the first answer counts', async () => {
  await using echo = await ModelServerProcess.start(['--image=berth/echo'])
  const node = { container: 'echo', hedge: { afterMs: 1, budgetPercent: 100 } }
  await using graph = await startGraph(
    { graph: node },
    { siblings: [{ hostname: 'echo', path: echo.socketPath }] },
  )
  assert.deepEqual((await ask(graph.socketPath, '[7]', 'delay-ms=50')).value, [7])
})
