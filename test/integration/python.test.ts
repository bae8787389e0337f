import assert from 'node:assert/strict'
import { readFileSync, readlinkSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'

import { EXIT_CODES } from '../../src/modelserver/start-failure.ts'
import { ensureModelPython } from '../support/model-python.ts'
import { PythonServer } from '../support/python-server.ts'
import type { PythonServerOptions } from '../support/python-server.ts'
import { until } from '../support/until.ts'

const python = await ensureModelPython()

/** Asked `{"do": …}`, it does it. */
const OBEDIENT = `
import json, os, signal, sys, time

def model_fn(model_dir):
    return {"loaded": os.getpid()}

def input_fn(body, content_type):
    return json.loads(body)

def words():
    for word in ["one ", "two ", "three"]:
        yield word

def endless():
    while True:
        yield "x" * 65536

def broken():
    yield "begun"
    raise ValueError("no more")

def predict_fn(order, model):
    what = order["do"]
    print("does", what)
    if what == "sleep": time.sleep(1000)
    if what == "spin":
        while True: pass
    if what == "stubborn":
        while True:
            try: time.sleep(1000)
            except BaseException: pass
    if what == "die": os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit": sys.exit(3)
    if what == "raise": raise ValueError("it is not my day")
    if what == "print":
        line = "p" * 99
        for _ in range(order["lines"]): print(line)
    if what == "words": return words()
    if what == "endless": return endless()
    if what == "broken": return broken()
    return {"pid": os.getpid(), "loaded": model["loaded"], "did": what}
`

const order = (what: string, more: object = {}): string => JSON.stringify({ do: what, ...more })

async function serve(
  code: string,
  options: Partial<PythonServerOptions> = {},
): Promise<PythonServer> {
  const files = { 'code/inference.py': code, ...options.files }
  const server = new PythonServer({ python, ...options, files })
  await server.ready()
  return server
}

suite('the handler contract', () => {
  test('all four functions, with and without context, in order', async () => {
    await using server = await serve(`
def model_fn(model_dir, context):
    return ["model", context.system_properties["model_dir"] == model_dir]
def input_fn(body, content_type, context):
    return [type(body).__name__, content_type, context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")]
def predict_fn(data, model):
    return [*data, *model]
def output_fn(prediction, accept, context):
    context.set_response_header(0, "X-Amzn-SageMaker-Custom-Attributes", "seen")
    return ";".join(map(str, [*prediction, accept])), "text/plain"
`)
    const headers = { 'x-amzn-sagemaker-custom-attributes': 'a=1' }
    const json = await server.ask('{}', { accept: 'text/csv, */*', headers })
    assert.equal(json.text, 'str;application/json;a=1;model;True;text/csv, */*')
    assert.equal(json.headers['content-type'], 'text/plain')
    assert.equal(json.headers['x-amzn-sagemaker-custom-attributes'], 'seen')
    const bytes = await server.ask(Buffer.from([1, 2]), { type: 'application/x-image', headers })
    assert.equal(bytes.text, 'bytes;application/x-image;a=1;model;True;application/json')
  })

  test('transform_fn replaces the other three', async () => {
    await using server = await serve(`
def model_fn(model_dir): return "m"
def transform_fn(model, body, content_type, accept): return model + body, "text/plain"
`)
    assert.equal((await server.ask('{}')).text, 'm{}')
  })

  test('SAGEMAKER_PROGRAM, SAGEMAKER_SUBMIT_DIRECTORY and modules beside the program', async () => {
    const environment = {
      SAGEMAKER_PROGRAM: 'serve.py',
      SAGEMAKER_SUBMIT_DIRECTORY: '/opt/ml/model/source',
      SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: 'text/csv',
    }
    const files = {
      'source/serve.py':
        'from answers import ANSWER\ndef model_fn(d): return 0\ndef predict_fn(data, model): return [ANSWER]\n',
      'source/answers.py': 'ANSWER = 42\n',
    }
    await using server = await serve('raise RuntimeError("not me")', { environment, files })
    const { text, headers } = await server.ask('[1]')
    assert.deepEqual([text, headers['content-type']], ['42\n', 'text/csv'])
  })

  const IDENTITY = 'def model_fn(d): return 0\ndef predict_fn(data, model): return data\n'
  const CODECS = [
    { type: 'application/json', body: '[[1,2],[3,4]]', accept: 'text/csv', text: '1 2\n3 4\n' },
    { type: 'text/csv', body: '1,2\n3,4\n', accept: 'application/json', text: '[[1, 2], [3, 4]]' },
    { type: 'text/csv', body: '1.5,2', accept: '*/*', text: '[1.5, 2.0]' },
    { type: 'text/csv; charset=utf-8', body: '7,8', accept: 'text/html, text/csv', text: '7\n8\n' },
  ]
  test('the toolkit’s default codecs', async () => {
    await using server = await serve(IDENTITY)
    for (const { type, body, accept, text } of CODECS) {
      const reply = await server.ask(body, { type, accept })
      assert.equal(
        reply.text.replaceAll(',', ' '),
        text.replaceAll(',', ' '),
        `${type} → ${accept}`,
      )
    }
    const npy = await server.ask('[[1,2]]', { accept: 'application/x-npy' })
    assert.equal(npy.headers['content-type'], 'application/x-npy')
    const back = await server.ask(npy.bytes, { type: 'application/x-npy' })
    assert.equal(back.text, '[[1, 2]]')
    const refused = await server.ask('x', { type: 'image/png' })
    assert.equal(refused.status, 500)
    assert.match(refused.text, /^Content type image\/png is not supported by this framework\.\n/)
  })

  test('an exception is a 500 with message and traceback from the user’s code on', async () => {
    await using server = await serve(OBEDIENT)
    const { status, text } = await server.ask(order('raise'))
    assert.equal(status, 500)
    assert.match(text, /^it is not my day\nTraceback [^\n]+\n {2}File "[^"]+inference\.py", line/)
    assert.match(text, /\nValueError: it is not my day\n$/)
    await until('the log', () => server.output.includes('ValueError: it is not my day'))
  })

  test('workers by SAGEMAKER_MODEL_SERVER_WORKERS', async () => {
    const environment = { SAGEMAKER_MODEL_SERVER_WORKERS: '3' }
    await using server = await serve(OBEDIENT, { environment })
    await until('three workers', () => server.output.split('model loaded').length === 4)
    // A held worker takes no other call.
    const leaving = new AbortController()
    const held = server.ask(order('sleep'), { signal: leaving.signal }).catch(() => undefined)
    const first = JSON.parse((await server.ask(order('say'))).text) as { pid: number }
    assert.ok(first.pid > 0)
    leaving.abort()
    await held
  })
})

suite('streaming', () => {
  test('a generator’s parts come as they are made', async () => {
    await using server = await serve(OBEDIENT)
    const { status, text, headers } = await server.ask(order('words'))
    assert.deepEqual([status, text], [200, 'one two three'])
    assert.equal(headers['transfer-encoding'], 'chunked')
  })

  test('output_fn may be the generator', async () => {
    await using server = await serve(`
def model_fn(d): return 0
def predict_fn(data, model): return data.tolist()
def output_fn(prediction, accept):
    for value in prediction: yield {"value": value}
`)
    const { text } = await server.ask('[1, 2]', { accept: 'application/jsonlines' })
    assert.equal(text, '{"value": 1}\n{"value": 2}\n')
  })

  test('an error in the middle breaks the reply off', async () => {
    await using server = await serve(OBEDIENT)
    await assert.rejects(server.ask(order('broken')))
    assert.equal((await server.ask(order('say'))).status, 200)
  })

  test('a reader that leaves ends the generator, and the worker goes on', async () => {
    await using server = await serve(OBEDIENT)
    const { pid } = JSON.parse((await server.ask(order('say'))).text) as { pid: number }
    const leaving = new AbortController()
    const reply = await server.open(order('endless'), { signal: leaving.signal })
    for await (const chunk of reply.body) {
      assert.ok(chunk)
      break
    }
    leaving.abort()
    const after = JSON.parse((await server.ask(order('say'))).text) as { pid: number }
    assert.equal(after.pid, pid)
  })
})

suite('faults', () => {
  for (const what of ['die', 'exit']) {
    test(`a worker that ends in a call (${what}): that call fails, another worker comes`, async () => {
      await using server = await serve(OBEDIENT)
      const { status, text } = await server.ask(order(what))
      assert.equal(status, 500)
      assert.match(text, what === 'die' ? /was killed by SIGKILL/ : /ended with exit code 3/)
      await server.ready()
      assert.equal((await server.ask(order('say'))).status, 200)
    })
  }

  for (const what of ['sleep', 'spin']) {
    test(`a caller that leaves a handler that hangs (${what}): it is interrupted, the worker stays`, async () => {
      await using server = await serve(OBEDIENT)
      const before = (await server.ask(order('say'))).text
      await leaveOnceBusy(server, what)
      assert.equal((await server.ask(order('say'))).text, before)
    })
  }

  test('a handler that does not let itself be interrupted is replaced', async () => {
    await using server = await serve(OBEDIENT)
    const before = (await server.ask(order('say'))).text
    await leaveOnceBusy(server, 'stubborn')
    await until('the death of the worker', () => server.output.includes('Python worker died'))
    await server.ready()
    assert.notEqual((await server.ask(order('say'))).text, before)
  })

  test('a handler that is slower than SAGEMAKER_MODEL_SERVER_TIMEOUT: 500, and another worker', async () => {
    const environment = { SAGEMAKER_MODEL_SERVER_TIMEOUT: '1' }
    await using server = await serve(OBEDIENT, { environment })
    const { status, text } = await server.ask(order('sleep'))
    assert.equal(status, 500)
    assert.match(text, /did not answer within 1 s \(SAGEMAKER_MODEL_SERVER_TIMEOUT\)/)
    await until('an answer of another worker, in time', async () => {
      return (await server.ask(order('say'))).status === 200
    })
  })

  test('100 MB of prints go to the log and hold nothing up', async () => {
    await using server = await serve(OBEDIENT)
    const reply = await server.ask(order('print', { lines: 1_000_000 }))
    assert.equal(reply.status, 200)
    await until('the prints', () => server.outputBytes > 100_000_000)
    assert.ok(residentBytes(server.pid) < 300_000_000, 'the model server holds none of it')
  })

  test('model_fn throws: exit code 22, the place and the cause in the last line', async () => {
    const code = 'def model_fn(model_dir):\n    raise OSError("weights are gone")\n'
    await using server = new PythonServer({ python, files: { 'code/inference.py': code } })
    assert.equal(await server.ended(), EXIT_CODES.modelInvalid)
    const where = 'The model could not be loaded in code/inference.py line 2 (model_fn)'
    assert.equal(server.lastLine, `${where}: OSError: weights are gone`)
  })

  test('a module that is missing: the package to add', async () => {
    const code = 'import yaml_but_missing, PIL\n'
    await using server = new PythonServer({ python, files: { 'inference.py': code } })
    assert.equal(await server.ended(), EXIT_CODES.modelInvalid)
    assert.match(server.lastLine, /Put yaml_but_missing into code\/requirements\.txt\.$/)
  })

  test('neither code nor a known model', async () => {
    await using server = new PythonServer({ python, files: { 'readme.md': '' } })
    assert.equal(await server.ended(), EXIT_CODES.modelInvalid)
    assert.match(
      server.lastLine,
      /neither code\/inference\.py nor a model file [^]+found: readme\.md/,
    )
  })

  test('a package that does not exist: exit code 26 with pip’s words, and no half-made environment', async () => {
    const files = { 'inference.py': '', 'requirements.txt': '--no-index\nberth-no-such-package\n' }
    await using server = new PythonServer({ python, files })
    assert.equal(await server.ended(), EXIT_CODES.environmentFailed)
    assert.match(
      server.lastLine,
      /^requirements\.txt cannot be installed: No matching distribution found for berth-no-such-package/,
    )
    const made = readdirSync(join(server.folder, 'environments'))
    assert.deepEqual(
      made.filter((name) => name !== '.locks'),
      [],
    )
  })

  test('no Python: exit code 27 and what to do', async () => {
    await using server = new PythonServer({ python: '/nowhere/python3', files: {} })
    assert.equal(await server.ended(), EXIT_CODES.pythonMissing)
    assert.match(
      server.lastLine,
      /needs Python 3\.9 or newer: install it, or name one with BERTH_PYTHON/,
    )
  })

  test('SIGTERM: what runs is answered, then it ends with 0 and leaves no worker', async () => {
    await using server = await serve(
      'import time, os\ndef model_fn(d): return os.getpid()\ndef predict_fn(data, model):\n    print("begun")\n    time.sleep(0.5)\n    return model\n',
    )
    const asked = server.ask('[1]')
    await until('the call', () => server.output.includes('begun'))
    const ended = server.terminate()
    const { text } = await asked
    assert.equal(await ended, 0)
    assert.throws(() => readlinkSync(`/proc/${text}/exe`), 'the worker is gone')
  })
})

async function leaveOnceBusy(server: PythonServer, what: string): Promise<void> {
  const leaving = new AbortController()
  const asked = server.ask(order(what), { signal: leaving.signal }).catch(() => undefined)
  await until('the call to run', () => server.output.includes(`does ${what}\n`))
  leaving.abort()
  await asked
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}
