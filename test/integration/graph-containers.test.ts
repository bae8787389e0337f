import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'

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

test('a target that does not even say how to speak to it is left alone when its time has passed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-silent-'))
  const path = join(folder, 'a.sock')
  const silent = createServer(() => undefined).listen(path)
  await once(silent, 'listening')
  await using stack = new AsyncDisposableStack()
  stack.defer(() => {
    silent.close()
    rmSync(folder, { recursive: true })
  })
  const node = { container: 'silent', breaker: { failures: 1, openMs: 600_000 }, timeoutMs: 50 }
  await using graph = await startGraph(
    { graph: node },
    { siblings: [{ hostname: 'silent', path }] },
  )
  assert.equal((await ask(graph.socketPath, '1')).status, 504)
  assert.equal((await ask(graph.socketPath, '1')).status, 503)
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

suite('branches that do not fit one another are refused in words, not mixed', () => {
  const say = (expression: string) => ({ expression })
  const vote = (a: string, b: string, aggregate: unknown = 'majority-vote') => {
    return { scatter: { branches: { a: say(a), b: say(b) }, aggregate } }
  }
  const FAULTS = {
    words: {
      node: vote('["apple"]', '[1]'),
      says: 'Branch b votes for the number 1, branch a for the string "apple": name the classes alike, or list them as classes.',
    },
    unknown: {
      node: vote('["apple"]', '["pear"]', {
        method: 'majority-vote',
        classes: ['apple', 'orange'],
      }),
      says: /^Branch b .*pear.*apple, orange/,
    },
    rows: {
      node: vote('["apple"]', '["apple", "apple"]'),
      says: 'Branch b answers 2 predictions where branch a answers 1.',
    },
    probabilities: {
      node: vote('[{"apple": 0.5, "pear": 0.5}]', '[{"apple": 1.0, "orange": 0.0}]', 'soft-vote'),
      says: 'Branch b gives probabilities of apple, orange, branch a of apple, pear.',
    },
    shape: { node: vote('[[1, 2]]', '[[1, 2, 3]]', 'mean'), says: /^Branch b/ },
    stacked: {
      node: vote('[1]', '["apple"]', { method: 'stacking', model: say('input') }),
      says: 'Branch b answers "apple"; a stacking model takes numbers.',
    },
    failing: { node: { container: 'echo' }, says: /^The container echo answered 500: / },
  }

  test('each says which branch, and what it answered', async () => {
    await using echo = await ModelServerProcess.start(['--image=berth/echo'])
    const cases = Object.fromEntries(Object.entries(FAULTS).map(([name, { node }]) => [name, node]))
    await using graph = await startGraph(
      { graph: { select: { on: 'attributes.case', cases } } },
      { siblings: [{ hostname: 'echo', path: echo.socketPath }] },
    )
    for (const [name, { says }] of Object.entries(FAULTS)) {
      const { status, value } = await ask(graph.socketPath, '1', `case=${name};status=500`)
      const said = String(Object(value).error)
      assert.equal(status, 502, `${name}: ${said}`)
      if (typeof says === 'string') assert.equal(said, says)
      else assert.match(said, says)
    }
  })
})
