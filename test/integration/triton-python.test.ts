import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { ensureModelPython } from '../support/model-python.ts'
import { ensureTritonClient, runTritonClient } from '../support/triton-client.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'
import { makeWheel } from '../support/wheel.ts'

const python = await ensureModelPython()
process.env['BERTH_PYTHON'] = python

suite('models of the recorded repository', () => {
  const loaded = ['obeys', 'doubles', 'counts', 'awaits', 'decoupled_returns']
  let server: RunningTriton
  let output = ''

  before(async () => {
    const repository = join(import.meta.dirname, '../fixtures/triton/python-repository')
    const flags = ['--model-control-mode=explicit', ...loaded.map((name) => `--load-model=${name}`)]
    server = await startTriton(repository, flags)
    server.process.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  })

  after(() => server.stop())

  async function order(name: string): Promise<unknown> {
    const inputs = [{ name: 'ORDER', datatype: 'BYTES', shape: [1], data: [name] }]
    const { status, text, json } = await server.send('POST', '/v2/models/obeys/infer', { inputs })
    assert.equal(status, 200, text)
    const answer = json as { readonly outputs: readonly { readonly data: readonly string[] }[] }
    return answer.outputs[0]?.data[0]
  }

  test('tritonclient asks them over HTTP and gRPC, decoupled ones in a stream', async () => {
    const client = await ensureTritonClient()
    const addresses = [`127.0.0.1:${server.httpPort}`, `127.0.0.1:${server.grpcPort}`]
    const three = [0, 1, 2].map((index) => [[[index]], false])
    assert.deepEqual(await runTritonClient(client, 'python_models.py', addresses), {
      http: [1],
      grpc: ['x', 7],
      'grpc async': [4, 8],
      'grpc error': ['StatusCode.NOT_FOUND', 'as told'],
      stream: three,
      'stream with end': [...three, [[], true]],
      'stream of a model that returns': [
        "Failed to process the request(s) for model 'decoupled_returns_0_0', message: Python model 'decoupled_returns' " +
          'is using the decoupled mode and the execute function must return None.',
      ],
      ready: [true, true, false],
    })
  })

  test("a model's metrics stand beside the server's, as long as it holds them", async () => {
    await order('count_a_metric')
    await order('count_a_metric')
    await order('gauge_a_metric')
    await order('observe_a_metric')
    const text = await (await fetch(server.metricsUrl)).text()
    const own = text.slice(text.indexOf('# HELP orders'))
    assert.equal(
      own,
      [
        '# HELP orders Orders',
        '# TYPE orders counter',
        'orders{kind="count"} 4',
        '# HELP length Length',
        '# TYPE length histogram',
        String.raw`length_count{of="a \"word\""} 4`,
        String.raw`length_sum{of="a \"word\""} 16`,
        String.raw`length_bucket{of="a \"word\"",le="1"} 1`,
        String.raw`length_bucket{of="a \"word\"",le="2"} 1`,
        String.raw`length_bucket{of="a \"word\"",le="4"} 3`,
        String.raw`length_bucket{of="a \"word\"",le="+Inf"} 4`,
        '',
      ].join('\n'),
    )
    const where = "Failed to process the request for model 'obeys_0_0', message:"
    assert.deepEqual(JSON.parse(String(await order('misuse_a_metric'))), [
      `Failed to process the custom metrics request: ${where} a counter has no operation 'set'`,
      `Failed to process the custom metrics request: ${where} a counter does not decrease`,
      `Failed to process the custom metrics request: ${where} a counter has no operation 'observe'`,
      `Error when creating MetricFamily: ${where} 'no name' is no name for a metric of a model: letters, digits, _ and :, not nv_`,
      `Error when creating Metric: ${where} a histogram needs buckets: their upper bounds, ascending`,
    ])
  })

  test("a model's log lines are the server's, at their levels", async () => {
    await order('log_lines')
    const lines = await until('the lines', () => {
      const found = output.split('\n').filter((line) => /"(line of|plain line)/.test(line))
      return output.includes('plain line') ? found : undefined
    })
    const read = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(
      read.map(({ level, msg, instance }) => [level, msg, instance]),
      [
        ['info', 'line of log_info', 'obeys_0_0'],
        ['warn', 'line of log_warn', 'obeys_0_0'],
        ['error', 'line of log_error', 'obeys_0_0'],
        ['info', 'plain line', 'obeys_0_0'],
      ],
    )
  })
})

/** Serves models for one test; Python environments are made in a folder of its own. */
async function serve(
  files: ConstructorParameters<typeof TestRepository>[0],
): Promise<{ server: RunningTriton; home: string } & AsyncDisposable> {
  const repository = new TestRepository(files)
  const home = `${repository.path}-home`
  mkdirSync(home)
  process.env['HOME'] = home
  const server = await startTriton(repository.path, [
    '--model-control-mode=explicit',
    '--load-model=*',
  ])
  return {
    server,
    home,
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      repository[Symbol.dispose]()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

const TEXT_OUT = `backend: "python"
input { name: "X" data_type: TYPE_INT32 dims: [ 1 ] }
output { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] }
`

/** A model that answers the value of a Python expression. */
const saying = (expression: string, imports = ''): string => `
import os, sys
import numpy as np
import triton_python_backend_utils as pb_utils
${imports}

class TritonPythonModel:
    def initialize(self, args):
        self.folder = args["model_repository"]

    def is_ready(self):
        return not os.path.exists(self.folder + "/unready")

    def execute(self, requests):
        text = np.array([str(${expression}).encode()], np.object_)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("TEXT", text)]) for _ in requests]

    def finalize(self):
        open(self.folder + "/finalized", "w").close()
`

async function say(server: RunningTriton, model: string): Promise<string> {
  const inputs = [{ name: 'X', datatype: 'INT32', shape: [1], data: [1] }]
  const { status, text, json } = await server.send('POST', `/v2/models/${model}/infer`, { inputs })
  assert.equal(status, 200, text)
  const answer = json as { readonly outputs: readonly { readonly data: readonly string[] }[] }
  return answer.outputs[0]?.data[0] ?? ''
}

test('an ensemble goes from texts through Python to ONNX and back to texts, rows kept apart', async () => {
  await using served = await serve({
    'parse/config.pbtxt': {
      text: `backend: "python"
max_batch_size: 8
dynamic_batching { max_queue_delay_microseconds: 1000 }
input { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] }
output { name: "ROW" data_type: TYPE_FP32 dims: [ 3 ] }
`,
    },
    'parse/1/model.py': {
      text: `
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        texts = [pb_utils.get_input_tensor_by_name(r, "TEXT").as_numpy().reshape(-1) for r in requests]
        rows = [np.array([[float(part) for part in text.split()] for text in one], np.float32) for one in texts]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("ROW", one)]) for one in rows]
`,
    },
    'affine/1/model.onnx': { fixture: 'affine.onnx' },
    'affine/config.pbtxt': { text: 'backend: "onnxruntime"\nmax_batch_size: 8\n' },
    'write/config.pbtxt': {
      text: `backend: "python"
max_batch_size: 8
input { name: "NUMBERS" data_type: TYPE_FP32 dims: [ 2 ] }
output { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] }
`,
    },
    'write/1/model.py': {
      text: `
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(pb_utils.get_input_tensor_by_name(r, "NUMBERS").as_numpy()) for r in requests]

    def answer(self, rows):
        texts = np.array([["%g and %g" % tuple(row)] for row in rows], np.object_)
        return pb_utils.InferenceResponse([pb_utils.Tensor("TEXT", texts)])
`,
    },
    'whole/1/empty': { text: '' },
    'whole/config.pbtxt': {
      text: `platform: "ensemble"
max_batch_size: 8
input { name: "IN" data_type: TYPE_STRING dims: [ 1 ] }
output { name: "OUT" data_type: TYPE_STRING dims: [ 1 ] }
ensemble_scheduling {
  step { model_name: "parse" model_version: -1 input_map { key: "TEXT" value: "IN" } output_map { key: "ROW" value: "row" } }
  step { model_name: "affine" model_version: -1 input_map { key: "x" value: "row" } output_map { key: "y" value: "numbers" } }
  step { model_name: "write" model_version: -1 input_map { key: "NUMBERS" value: "numbers" } output_map { key: "TEXT" value: "OUT" } }
}
`,
    },
  })
  const ask = (texts: readonly string[]) => {
    const inputs = [{ name: 'IN', datatype: 'BYTES', shape: [texts.length, 1], data: texts }]
    return served.server.send('POST', '/v2/models/whole/infer', { inputs })
  }
  const [one, two] = await Promise.all([ask(['1 2 3']), ask(['1 2 3', '0 0 0'])])
  assert.match(one.text, /"shape":\[1,1\],"data":\["14\.5 and 31\.5"\]/)
  assert.match(two.text, /"shape":\[2,1\],"data":\["14\.5 and 31\.5","0\.5 and -0\.5"\]/)
  const wrong = await ask(['a b c'])
  assert.equal(wrong.status, 500)
  assert.match(
    wrong.text,
    /in ensemble 'whole', Failed to process the request\(s\) for model 'parse_0', message: ValueError/,
  )
})

test('requirements beside model.py are installed once, for as many models as have the same', async () => {
  const wheel = 'berth_test_wheel-1.0-py3-none-any.whl'
  const files = (name: string, text: Buffer) => ({
    [`${name}/config.pbtxt`]: { text: TEXT_OUT },
    [`${name}/1/model.py`]: { text: saying('berth_test_wheel.ANSWER', 'import berth_test_wheel') },
    [`${name}/1/requirements.txt`]: { text: `./${wheel}\n` },
    [`${name}/1/${wheel}`]: { text },
  })
  await using served = await serve(files('wheeled', await makeWheel()))
  assert.equal(await say(served.server, 'wheeled'), '42')
  const made = readdirSync(join(served.home, '.cache/berth/python'))
  assert.equal(made.filter((name) => !name.includes('.')).length, 1)
})

test('EXECUTION_ENV_PATH is unpacked, once for each content, and its Python runs the model', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-env-'))
  const run = promisify(execFile)
  try {
    await run(python, ['-m', 'venv', '--without-pip', join(folder, 'env')])
    const script = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    const packages = (await run(python, ['-c', script])).stdout.trim()
    const own = (await run(join(folder, 'env/bin/python'), ['-c', script])).stdout.trim()
    writeFileSync(join(own, 'more.pth'), `${packages}\n`)
    await run('tar', ['-czf', join(folder, 'env.tar.gz'), '-C', join(folder, 'env'), '.'])
    const text = readFileSync(join(folder, 'env.tar.gz'))
    const parameter = `parameters { key: "EXECUTION_ENV_PATH" value { string_value: "$$TRITON_MODEL_DIRECTORY/env.tar.gz" } }\n`
    const files = (name: string) => ({
      [`${name}/config.pbtxt`]: { text: TEXT_OUT + parameter },
      [`${name}/1/model.py`]: { text: saying('sys.prefix') },
      [`${name}/env.tar.gz`]: { text },
    })
    await using served = await serve({ ...files('packed'), ...files('twin') })
    const prefix = await say(served.server, 'packed')
    assert.equal(dirname(prefix), join(served.home, '.cache/berth/python'))
    assert.equal(await say(served.server, 'twin'), prefix)
    assert.equal(existsSync(join(prefix, 'bin/python')), true)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a model says itself whether it is ready, and is told when it ends', async () => {
  const repository = {
    'm/config.pbtxt': { text: TEXT_OUT },
    'm/1/model.py': { text: saying('self.folder') },
  }
  await using served = await serve(repository)
  const { server } = served
  const folder = await say(server, 'm')
  const ready = async () => (await server.send('GET', '/v2/models/m/ready')).status
  // A model that takes its time to say so is not: on a machine that is busy elsewhere a good one may.
  await until('it to be ready', async () => (await ready()) === 200)
  writeFileSync(join(folder, 'unready'), '')
  assert.equal(await ready(), 400)
  await server.send('POST', '/v2/repository/models/m/unload', '')
  await until('finalize', () => existsSync(join(folder, 'finalized')))
})
