import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'

import { DescribeEndpointCommand } from '@aws-sdk/client-sagemaker'
import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  ModelError,
} from '@aws-sdk/client-sagemaker-runtime'

import { askInTime } from '../support/ask-in-time.ts'
import { disposeBerth, installationPids, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { ensureModelPython } from '../support/model-python.ts'
import { makeWheel } from '../support/wheel.ts'
import { runCli } from '../support/run-cli.ts'
import {
  createConfig,
  createEndpoint,
  serveEndpoint,
  untilInService,
  untilSettled,
} from '../support/serving.ts'
import { packModel, uploadModel } from '../support/upload.ts'
import { until } from '../support/until.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/sklearn')
const SKLEARN = '683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3'
const EXITED = 'The primary container for production variant AllTraffic exited with code'

let berth: RunningBerth
before(async () => {
  const python = await ensureModelPython()
  berth = await startBerth({
    environment: { BERTH_PYTHON: python, BERTH_INVOCATION_TIMEOUT_MS: '2000' },
  })
})
after(() => disposeBerth(berth))

const example = (name: string): Buffer => readFileSync(join(EXAMPLE, name))

async function upload(
  name: string,
  files: Readonly<Record<string, Buffer | string>>,
): Promise<string> {
  return await uploadModel(berth, `${name}.tar.gz`, await packModel(files))
}

async function invokeOnce(name: string, body: string, type: string, accept = 'application/json') {
  const command = new InvokeEndpointCommand({
    EndpointName: name,
    ContentType: type,
    Accept: accept,
    Body: Buffer.from(body),
  })
  const reply = await berth.runtime.send(command)
  return { text: reply.Body.transformToString(), type: reply.ContentType }
}

const invoke = (...call: Parameters<typeof invokeOnce>): ReturnType<typeof invokeOnce> =>
  askInTime(() => invokeOnce(...call))

async function modelErrorOf(asking: Promise<unknown>): Promise<ModelError> {
  const error: unknown = await asking.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ModelError, String(error))
  return error
}

suite('the scikit-learn example behind the AWS SDK', () => {
  test('its model.tar.gz answers as train.py counted', async () => {
    const modelDataUrl = await upload('wine', {
      'model.joblib': example('model/model.joblib'),
      'code/inference.py': example('model/code/inference.py'),
    })
    await serveEndpoint(berth, { name: 'wine', image: 'berth/python', modelDataUrl })
    const lines = example('holdout.csv').toString().trimEnd().split('\n')
    const wines = lines.map((line) => line.slice(2)).join('\n')
    const { text, type } = await invoke('wine', wines, 'text/csv', 'text/csv')
    const cultivars = ['Barolo', 'Grignolino', 'Barbera']
    const answers = text.trimEnd().split('\n')
    const right = lines.filter((line, at) => cultivars[Number(line[0])] === answers[at])
    const metrics = JSON.parse(example('model/metrics.json').toString()) as { correctCount: number }
    assert.deepEqual([right.length, type], [metrics.correctCount, 'text/csv'])
    const json = await invoke('wine', `{"instances":[[${lines[0]?.slice(2)}]]}`, 'application/json')
    assert.match(
      json.text,
      /^\{"predictions": \[\{"cultivar": "Barbera", "probability": 0\.\d+\}\]\}$/,
    )
  })

  test('the image of AWS, and no code at all: the defaults serve model.joblib', async () => {
    const modelDataUrl = await upload('plain', { 'model.joblib': example('model/model.joblib') })
    await serveEndpoint(berth, { name: 'plain', image: SKLEARN, modelDataUrl })
    const wine = example('holdout.csv').toString().split('\n')[0] ?? ''
    assert.deepEqual(await invoke('plain', wine.slice(2), 'text/csv'), {
      text: '[2]',
      type: 'application/json',
    })
    const describe = new DescribeEndpointCommand({ EndpointName: 'plain' })
    const { ProductionVariants } = await berth.sagemaker.send(describe)
    const [deployed] = ProductionVariants?.[0]?.DeployedImages ?? []
    assert.deepEqual([deployed?.SpecifiedImage, deployed?.ResolvedImage], [SKLEARN, 'berth/python'])
  })

  test('code that the SageMaker SDK has uploaded beside the model', async () => {
    const modelDataUrl = await upload('bare', { 'weights.txt': '7' })
    const code = await upload('sourcedir', {
      'entry.py':
        'import os\ndef model_fn(d): return int(open(os.path.join(d, "weights.txt")).read())\ndef predict_fn(data, model): return model * data\n',
    })
    const environment = { SAGEMAKER_PROGRAM: 'entry.py', SAGEMAKER_SUBMIT_DIRECTORY: code }
    await serveEndpoint(berth, { name: 'beside', image: SKLEARN, modelDataUrl, environment })
    assert.equal((await invoke('beside', '[6]', 'application/json')).text, '[42]')
  })

  test('an image of AWS that nothing stands in for is refused with what to use', async () => {
    const image = '763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.30.0-cpu'
    await assert.rejects(createConfig(berth, { name: 'djl', image }), {
      name: 'ValidationException',
      message: /is not offered by this installation\. Load the model in model_fn/,
    })
  })
})

const HANDLER = `
import json, os, signal, time
def model_fn(model_dir):
    print("loaded by", os.getpid())
    return os.getpid()
def input_fn(body, content_type): return json.loads(body)["do"]
def parts():
    yield "one "
    yield "two"
def broken():
    yield "one "
    raise ValueError("lost it")
def predict_fn(what, model):
    if what == "raise": raise ValueError("no such wine")
    if what == "die": os.kill(model, signal.SIGKILL)
    if what == "hang": time.sleep(1000)
    if what == "stream": return parts()
    if what == "break": return broken()
    return {"pid": model}
`

suite('user code on an endpoint', () => {
  before(async () => {
    const modelDataUrl = await upload('obedient', { 'inference.py': HANDLER })
    const environment = { SAGEMAKER_MODEL_SERVER_WORKERS: '1' }
    const deployable = { name: 'obedient', image: 'berth/python', modelDataUrl, environment }
    await serveEndpoint(berth, deployable)
  })

  const orderOnce = (what: string): Promise<{ text: string }> =>
    invokeOnce('obedient', JSON.stringify({ do: what }), 'application/json')
  const order = (what: string): Promise<{ text: string }> => askInTime(() => orderOnce(what))

  test('an exception is a ModelError with the traceback as original message', async () => {
    const error = await modelErrorOf(order('raise'))
    assert.equal(error.OriginalStatusCode, 500)
    assert.match(
      error.OriginalMessage ?? '',
      /^no such wine\nTraceback [^]+ValueError: no such wine\n$/,
    )
  })

  test('a generator streams', async () => {
    assert.equal(await askInTime(() => streamed('stream')), 'one two')
  })

  test('a stream that breaks says so', async () => {
    await assert.rejects(
      askInTime(() => streamed('break')),
      { name: 'ModelStreamError' },
    )
  })

  async function streamed(what: string): Promise<string> {
    const command = new InvokeEndpointWithResponseStreamCommand({
      EndpointName: 'obedient',
      ContentType: 'application/json',
      Body: Buffer.from(JSON.stringify({ do: what })),
    })
    let text = ''
    const { Body } = await berth.runtime.send(command)
    for await (const { PayloadPart } of Body ?? []) text += Buffer.from(PayloadPart?.Bytes ?? [])
    return text
  }

  test('what Python prints is in berth logs', async () => {
    const { pid } = JSON.parse((await order('say')).text) as { pid: number }
    const environment = {
      AWS_ENDPOINT_URL: berth.url,
      AWS_ACCESS_KEY_ID: berth.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: berth.credentials.secretAccessKey,
      AWS_REGION: 'us-east-1',
    }
    await until('the log', async () => {
      const { stdout } = await runCli(['logs', 'obedient'], { environment })
      return stdout.includes(`loaded by ${pid}\n`) && stdout.includes('ValueError: no such wine')
    })
  })

  test('a worker killed in an invocation: ModelError, then answers from another worker', async () => {
    const error = await modelErrorOf(order('die'))
    assert.match(error.OriginalMessage ?? '', /The Python worker was killed by SIGKILL/)
    await untilAnswered()
  })

  test('a handler that hangs: ModelError at the deadline, and the endpoint goes on', async () => {
    const error = await modelErrorOf(orderOnce('hang'))
    assert.match(error.OriginalMessage ?? '', /timed out while waiting for a response/)
    await untilAnswered()
  })

  async function untilAnswered(): Promise<void> {
    await until('an answer', () =>
      orderOnce('say').then(
        () => true,
        () => false,
      ),
    )
  }
})

suite('an endpoint of Python that cannot start is Failed with the cause', () => {
  const CASES = [
    {
      given: 'model_fn throws',
      name: 'throws',
      files: { 'inference.py': 'def model_fn(d):\n    raise ValueError("weights are damp")\n' },
      reason: new RegExp(
        `^${EXITED} 22; last log lines:\\n[^]*could not be loaded in inference\\.py line 2 \\(model_fn\\): ValueError: weights are damp`,
      ),
    },
    {
      given: 'a package does not exist',
      name: 'no-package',
      files: {
        'code/inference.py': '',
        'code/requirements.txt': '--no-index\nberth-no-such-package\n',
      },
      reason: new RegExp(
        `^${EXITED} 26; last log lines:\\n[^]*code/requirements\\.txt cannot be installed: No matching distribution found for berth-no-such-package`,
      ),
    },
  ]
  for (const { given, name, files, reason } of CASES) {
    test(given, async () => {
      const modelDataUrl = await upload(name, files)
      await createEndpoint(berth, { name, image: 'berth/python', modelDataUrl })
      const { EndpointStatus, FailureReason = '' } = await untilSettled(berth, name)
      assert.equal(EndpointStatus, 'Failed')
      assert.match(FailureReason, reason)
    })
  }

  test('a package that is there, for two instances at once: installed once', async () => {
    const environments = join(berth.dataDir, 'python')
    const listMade = (): readonly string[] =>
      readdirSync(environments).filter((name) => !name.includes('.'))
    const before = listMade()
    const wheel = await makeWheel()
    const modelDataUrl = await upload('packaged', {
      'code/inference.py':
        'import berth_test_wheel\ndef model_fn(d): return 0\ndef predict_fn(data, model): return berth_test_wheel.ANSWER\n',
      'code/requirements.txt': './berth_test_wheel-1.0-py3-none-any.whl  # beside this file\n',
      'code/berth_test_wheel-1.0-py3-none-any.whl': wheel,
    })
    const deployable = { name: 'packaged', image: 'berth/python', modelDataUrl, instanceCount: 2 }
    await createEndpoint(berth, deployable)
    await untilSettled(berth, 'packaged')
    await untilInService(berth, 'packaged')
    assert.equal((await invoke('packaged', '[1]', 'application/json')).text, '42')
    assert.equal(listMade().length, before.length + 1, 'one environment')
  })
})

test('an orderly stop leaves no Python', async () => {
  assert.ok(installationPids(berth.dataDir, 'worker.py').length > 0)
  assert.equal(await berth.stop(), 0)
  assert.deepEqual(installationPids(berth.dataDir), [])
})
