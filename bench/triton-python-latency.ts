/**
 * `node bench/triton-python-latency.ts`: what the Python backend adds to a request of 64 floats: from the model's instance to
 * `execute` of its `TritonPythonModel` and back, tensors as numpy arrays, without HTTP. With `--peer`, the same model in
 * tritonserver and in Berth over HTTP, side by side; Linux x64 with the packages of `scripts/record-triton.ts`.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startOracle, stopOracle } from '../scripts/record-triton/oracle.ts'
import type { InferenceRequest } from '../src/modelserver/triton/backend.ts'
import { createConfigReader } from '../src/modelserver/triton/read-config.ts'
import { parseBackendSettings } from '../src/modelserver/triton/backend-settings.ts'
import { PythonBackend } from '../src/modelserver/triton/python/python-backend.ts'
import { ServingError } from '../src/modelserver/triton/serving-error.ts'
import { ensureModelPython } from '../test/support/model-python.ts'
import { startTriton } from '../test/support/triton-server.ts'

const WARM_UP_COUNT = 500
const CALL_COUNT = 5_000
const CONFIG = `backend: "python"
input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 64 ] }
output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 64 ] }
instance_group { kind: KIND_CPU }
`
const MODEL = `
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse([pb_utils.Tensor("OUTPUT0", pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy())])
                for request in requests]
`

const folder = mkdtempSync(join(tmpdir(), 'berth-bench-'))
const repository = join(folder, 'repository')
mkdirSync(join(repository, 'echo/1'), { recursive: true })
writeFileSync(join(repository, 'echo/config.pbtxt'), CONFIG)
writeFileSync(join(repository, 'echo/1/model.py'), MODEL)
const python = await ensureModelPython()
const floats = new Uint8Array(Float32Array.from({ length: 64 }, (_, index) => index / 7).buffer)
try {
  console.log(JSON.stringify({ inProcess: summarise(await measureInstance()) }))
  if (process.argv.includes('--peer')) await measurePeers()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function measureInstance(): Promise<number[]> {
  const settings = parseBackendSettings([], [])
  const none = () => Promise.reject(new ServingError('UNAVAILABLE', 'there are no others'))
  const backend = new PythonBackend({
    limits: settings.python,
    python,
    environmentsDirectory: join(folder, 'environments'),
    environment: { PATH: process.env['PATH'] },
    models: {
      find: () => {
        throw new ServingError('NOT_FOUND', 'there are no others')
      },
      isReady: () => Promise.resolve(false),
      load: none,
      unload: none,
    },
  })
  const readConfig = createConfigReader({ isAutoCompleting: true, configName: '', ...settings })
  const modelDirectory = join(repository, 'echo')
  const model = { name: 'echo', modelDirectory, versions: [1], override: undefined }
  const source = await readConfig(model)
  const versionDirectory = join(modelDirectory, '1')
  const loaded = await backend.load(
    { name: 'echo', version: 1, modelDirectory, versionDirectory, source },
    () => undefined,
  )
  const [instance] = loaded.instances
  if (instance === undefined) throw new Error('There is no instance.')
  const asked: InferenceRequest = {
    id: '',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [64], data: floats }],
    requestedOutputs: ['OUTPUT0'],
    parameters: new Map(),
    batchSize: 0,
    correlationId: 0n,
    isSequenceStart: false,
    isSequenceEnd: false,
    priority: 0,
    timeoutMs: 0,
    signal: new AbortController().signal,
    respond: ({ outputs }) => {
      if (outputs[0]?.data.byteLength !== floats.byteLength) throw new Error('It is not the echo.')
    },
    fail: (error) => {
      throw error
    },
  }
  const latenciesUs = await measure(() => instance.execute([asked]))
  await instance.close()
  return latenciesUs
}

async function measurePeers(): Promise<void> {
  process.env['BERTH_PYTHON'] = python
  const berth = await startTriton(repository)
  const directory = join(folder, 'oracle')
  mkdirSync(directory)
  cpSync(repository, join(directory, 'repository'), { recursive: true })
  const oracle = await startOracle({
    directory,
    repository: join(directory, 'repository'),
    flags: [],
  })
  try {
    // In turn, and both ways round: whoever is first has the colder machine.
    for (const round of [1, 2]) {
      const contestants = [
        ['berth', berth.httpPort] as const,
        ['tritonserver', oracle.port] as const,
      ]
      for (const [name, port] of round === 1 ? contestants : contestants.toReversed()) {
        const summary = summarise(await measureHttp(port))
        console.log(JSON.stringify({ round, name, ...summary }))
      }
    }
  } finally {
    await stopOracle(oracle)
    await berth.stop()
  }
}

function measureHttp(port: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const input = {
    name: 'INPUT0',
    datatype: 'FP32',
    shape: [64],
    parameters: { binary_data_size: floats.byteLength },
  }
  const head = JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } })
  const body = Buffer.concat([Buffer.from(head), floats])
  const headers = {
    'inference-header-content-length': head.length,
    'content-length': body.length,
  }
  const path = '/v2/models/echo/infer'
  return measure(
    () =>
      new Promise<void>((resolve, reject) => {
        const sent = request({ agent, port, host: '127.0.0.1', method: 'POST', path, headers })
        sent.on('error', reject)
        sent.on('response', (incoming) => {
          if (incoming.statusCode !== 200) reject(new Error(`status ${incoming.statusCode}`))
          incoming.resume()
          incoming.on('end', resolve)
        })
        sent.end(body)
      }),
  ).finally(() => agent.destroy())
}

async function measure(call: () => Promise<unknown>): Promise<number[]> {
  const latenciesUs: number[] = []
  for (let index = 0; index < WARM_UP_COUNT + CALL_COUNT; index += 1) {
    const startedAtMs = performance.now()
    await call()
    if (index >= WARM_UP_COUNT) latenciesUs.push((performance.now() - startedAtMs) * 1000)
  }
  return latenciesUs
}

function summarise(latenciesUs: number[]) {
  latenciesUs.sort((left, right) => left - right)
  const percentile = (share: number): number =>
    Math.round(latenciesUs[Math.floor(latenciesUs.length * share)] ?? 0)
  return { callCount: latenciesUs.length, p50Us: percentile(0.5), p99Us: percentile(0.99) }
}
