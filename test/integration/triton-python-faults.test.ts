import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ensureModelPython } from '../support/model-python.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { Answer, RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

process.env['BERTH_PYTHON'] = await ensureModelPython()

const PORTS = `backend: "python"
input { name: "ORDER" data_type: TYPE_STRING dims: [ 1 ] }
output { name: "ANSWER" data_type: TYPE_STRING dims: [ 1 ] }
instance_group { kind: KIND_CPU }
`
const BATCHED = `${PORTS}max_batch_size: 4
dynamic_batching { preferred_batch_size: [ 4 ] max_queue_delay_microseconds: 60000000 }
`

/** Does what the first ORDER says, dies if any does, and answers each with its process. */
const OBEDIENT = `
import json, os, signal, sys, time
import numpy as np
import triton_python_backend_utils as pb_utils

held = []

class TritonPythonModel:
    def initialize(self, args):
        self.calls = 0

    def execute(self, requests):
        self.calls += 1
        orders = [pb_utils.get_input_tensor_by_name(r, "ORDER").as_numpy().flat[0].decode() for r in requests]
        order = "die" if "die" in orders else orders[0]
        if order == "die": os.kill(os.getpid(), signal.SIGKILL)
        if order == "sleep": time.sleep(1000)
        if order == "print":
            for _ in range(1000): print("p" * 99_999)
        if order == "leak":
            while True: held.append(bytearray(8 << 20))
        if order == "wait_for_cancel":
            open(os.environ["BERTH_TEST_FOLDER"] + "/begun", "w").close()
            while not requests[0].is_cancelled(): time.sleep(0.005)
            open(os.environ["BERTH_TEST_FOLDER"] + "/cancelled", "w").close()
        if order == "forget":
            return [None for _ in requests]
        text = json.dumps({"pid": os.getpid(), "calls": self.calls, "batch": len(requests)}).encode()
        return [pb_utils.InferenceResponse([pb_utils.Tensor("ANSWER", np.array(text, np.object_).reshape(
            [1] * len(pb_utils.get_input_tensor_by_name(request, "ORDER").shape())))]) for request in requests]
`

interface Told {
  readonly pid: number
  readonly calls: number
  readonly batch: number
}

async function ask(server: RunningTriton, model: string, order: string): Promise<Answer> {
  const shape = model === 'batched' ? [1, 1] : [1]
  const inputs = [{ name: 'ORDER', datatype: 'BYTES', shape, data: [order] }]
  return server.send('POST', `/v2/models/${model}/infer`, { inputs })
}

function told({ status, text, json }: Answer): Told {
  assert.equal(status, 200, text)
  const answer = json as { readonly outputs: readonly { readonly data: readonly string[] }[] }
  return JSON.parse(answer.outputs[0]?.data[0] ?? '') as Told
}

const failure = (instance: string, how: string): string =>
  JSON.stringify({
    error: `Failed to process the request(s) for model '${instance}', message: Stub process '${instance}' is not healthy: it ${how}.`,
  })

/** Serves models, each in one version, for one test. */
async function serve(
  files: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<{ server: RunningTriton; repository: TestRepository } & AsyncDisposable> {
  const texts = Object.entries(files).map(([name, text]) => [name, { text }] as const)
  const repository = new TestRepository(Object.fromEntries(texts))
  process.env['BERTH_TEST_FOLDER'] = repository.path
  // Environments are made below it.
  process.env['HOME'] = repository.path
  const server = await startTriton(repository.path, flags)
  return {
    server,
    repository,
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      repository[Symbol.dispose]()
    },
  }
}

const obedient = (name: string, config = PORTS): Record<string, string> => ({
  [`${name}/config.pbtxt`]: config,
  [`${name}/1/model.py`]: OBEDIENT,
})

test('a process that is killed in a batch fails that batch alone, and comes back', async () => {
  await using served = await serve({ ...obedient('batched', BATCHED), ...obedient('other') })
  const { server } = served
  const before = told(await ask(server, 'other', 'x'))
  const batch = await Promise.all(
    ['die', 'a', 'b', 'c'].map((order) => ask(server, 'batched', order)),
  )
  const expected = failure('batched_0_0', 'was killed by SIGKILL')
  assert.deepEqual(
    batch.map(({ status, text }) => [status, text]),
    batch.map(() => [500, expected]),
  )
  assert.equal(told(await ask(server, 'other', 'x')).pid, before.pid)
  const again = await Promise.all(
    ['a', 'b', 'c', 'd'].map((order) => ask(server, 'batched', order)),
  )
  assert.deepEqual(
    again.map((answer) => told(answer).batch),
    [4, 4, 4, 4],
  )
})

test('a process that dies while it has nothing to do is there for the next request', async () => {
  await using served = await serve(obedient('model'))
  const { pid } = told(await ask(served.server, 'model', 'x'))
  process.kill(pid, 'SIGKILL')
  const next = await until('another process', async () => {
    const answer = await ask(served.server, 'model', 'x')
    if (answer.status !== 200) return undefined
    const now = told(answer)
    return now.pid === pid ? undefined : now
  })
  assert.equal(next.calls, 1)
})

test('of two instances one serves on while the other starts again', async () => {
  const config = PORTS.replace('KIND_CPU', 'KIND_CPU count: 2')
  await using served = await serve(obedient('model', config))
  const dead = await ask(served.server, 'model', 'die')
  assert.match(dead.text, /Stub process 'model_0_[01]' is not healthy/)
  assert.equal(told(await ask(served.server, 'model', 'x')).batch, 1)
})

test('a model that hangs is replaced after the limit', async () => {
  await using served = await serve(obedient('model'), [
    '--backend-config=python,call-timeout-seconds=1',
  ])
  // The limit is for every call: on a machine that is busy elsewhere a good one may be too slow for it.
  const answered = (): Promise<Told> =>
    until('an answer in time', async () => {
      const answer = await ask(served.server, 'model', 'x')
      return answer.status === 200 && told(answer)
    })
  const { pid } = await answered()
  const { status, text } = await ask(served.server, 'model', 'sleep')
  assert.equal(status, 500)
  assert.equal(text, failure('model_0_0', 'did not answer within 1 s and was replaced'))
  assert.notEqual((await answered()).pid, pid)
})

test('a model that leaks gets MemoryError at its limit, and its process is replaced', async () => {
  await using served = await serve(obedient('model'), [
    '--backend-config=python,memory-limit-mb=512',
  ])
  const { pid } = told(await ask(served.server, 'model', 'x'))
  const { status, text } = await ask(served.server, 'model', 'leak')
  assert.equal(status, 500)
  assert.match(text, /message: MemoryError: \\n\\nAt:/)
  const next = await until('another process', async () => {
    const answer = await ask(served.server, 'model', 'x')
    return answer.status === 200 && told(answer).pid !== pid ? told(answer) : undefined
  })
  assert.equal(next.calls, 1)
})

test('a model that prints 100 MB costs the server nothing', async () => {
  await using served = await serve(obedient('model'))
  const before = told(await ask(served.server, 'model', 'x'))
  assert.deepEqual(told(await ask(served.server, 'model', 'print')), { ...before, calls: 2 })
})

test('a model hears that its caller has left', async () => {
  await using served = await serve(obedient('model'))
  const { server, repository } = served
  const leaving = new AbortController()
  const inputs = [{ name: 'ORDER', datatype: 'BYTES', shape: [1], data: ['wait_for_cancel'] }]
  const left = fetch(`${server.url}/v2/models/model/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs }),
    signal: leaving.signal,
  })
  await untilFile(join(repository.path, 'begun'))
  leaving.abort()
  await assert.rejects(left)
  await untilFile(join(repository.path, 'cancelled'))
  assert.equal(told(await ask(server, 'model', 'x')).calls, 2)
})

test('a request that the model lets go of fails, where Triton would let it wait', async () => {
  await using served = await serve(obedient('model'))
  const { status, text } = await ask(served.server, 'model', 'forget')
  assert.equal(status, 500)
  assert.match(text, /the model has let go of the request without a final response/)
})

test('what keeps a model from loading is said where the load was asked for, and in the index', async () => {
  const files = {
    ...obedient('good'),
    'broken/config.pbtxt': PORTS,
    'broken/1/model.py': 'import nosuchpackage\n',
    'empty/config.pbtxt': PORTS,
    'empty/1/note.txt': '',
    'lacking/config.pbtxt': PORTS,
    'lacking/1/model.py': OBEDIENT,
    'lacking/1/requirements.txt': '--no-index\nthere-is-no-such-package-of-berth\n',
  }
  const flags = ['--model-control-mode=explicit', '--load-model=good']
  await using served = await serve(files, flags)
  const { server } = served
  const load = (model: string): Promise<Answer> =>
    server.send('POST', `/v2/repository/models/${model}/load`, '')
  assert.match(
    (await load('broken')).text,
    /Put nosuchpackage into requirements.txt beside model.py/,
  )
  assert.match(
    (await load('empty')).text,
    /Internal: Python model file not found in '.*empty\/1\/model.py'/,
  )
  const lacking = await load('lacking')
  assert.equal(lacking.status, 400)
  assert.match(
    lacking.text,
    /requirements.txt cannot be installed: .*there-is-no-such-package-of-berth/,
  )
  const index = (await server.send('POST', '/v2/repository/index', '')).json as readonly {
    readonly name: string
    readonly state: string
    readonly reason?: string
  }[]
  assert.deepEqual(
    index.map(({ name, state }) => `${name} ${state}`),
    ['broken UNAVAILABLE', 'empty UNAVAILABLE', 'good READY', 'lacking UNAVAILABLE'],
  )
  assert.equal(told(await ask(server, 'good', 'x')).calls, 1)
})

test('a repository that changes while it serves loses no request', async () => {
  const flags = ['--model-control-mode=explicit', '--load-model=*']
  await using served = await serve(obedient('model'), flags)
  const { server, repository } = served
  let isOver = false
  const pids = new Set<number>()
  const asking = Array.from({ length: 4 }, async () => {
    while (!isOver) pids.add(told(await ask(server, 'model', 'x')).pid)
  })
  for (const turn of [1, 2, 3]) {
    repository.write({ 'model/1/model.py': { text: `${OBEDIENT}\n# ${turn}\n` } })
    const { status, text } = await server.send('POST', '/v2/repository/models/model/load', '')
    assert.equal(status, 200, text)
  }
  repository.write({ 'model/1/model.py': { text: 'class Broken\n' } })
  const broken = await server.send('POST', '/v2/repository/models/model/load', '')
  assert.match(broken.text, /SyntaxError/)
  await until('an answer of the last good one', () => pids.size >= 4)
  isOver = true
  await Promise.all(asking)
})

async function untilFile(path: string): Promise<void> {
  await until(path, () => existsSync(path))
}
