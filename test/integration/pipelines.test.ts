import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { DescribeModelCommand } from '@aws-sdk/client-sagemaker'
import { InvokeEndpointCommand, ModelError } from '@aws-sdk/client-sagemaker-runtime'

import { askInTime } from '../support/ask-in-time.ts'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { ensureModelPython } from '../support/model-python.ts'
import { runCli } from '../support/run-cli.ts'
import { describeInside, serveEndpoint } from '../support/serving.ts'
import { until } from '../support/until.ts'
import { packModel, uploadModel } from '../support/upload.ts'

// Says what it was given, or does what the caller asks of the container of its name.
const STEP = `
import os, time

def model_fn(model_dir):
    return open(os.path.join(model_dir, 'name')).read()

def transform_fn(name, body, content_type, accept):
    text = body if isinstance(body, str) else bytes(body).decode()
    if text.startswith('raise ' + name):
        raise ValueError('broken ' + name)
    if text.startswith('exit ' + name):
        os._exit(9)
    if text.startswith('hang ' + name):
        time.sleep(600)
    if text.startswith('fill ' + name):
        return 'x' * 6_000_000, 'text/plain'
    return f'{text}|{name} {content_type} {accept}', 'text/' + name
`

const NAMES = ['clean', 'score', 'label'] as const

let berth: RunningBerth
before(async () => {
  const python = await ensureModelPython()
  berth = await startBerth({
    environment: { BERTH_PYTHON: python, BERTH_INVOCATION_TIMEOUT_MS: '4000' },
  })
  const containers = await Promise.all(
    NAMES.map(async (name) => {
      const archive = await packModel({ name, 'code/inference.py': STEP })
      const ModelDataUrl = await uploadModel(berth, `${name}.tar.gz`, archive)
      const Environment = { SAGEMAKER_MODEL_SERVER_WORKERS: '2' }
      return { ContainerHostname: name, Image: 'berth/python', ModelDataUrl, Environment }
    }),
  )
  await serveEndpoint(berth, { name: 'chain', containers })
})
after(() => disposeBerth(berth))

interface Answer {
  readonly text: string
  readonly type: string | undefined
}

async function invokeOnce(body: string): Promise<Answer> {
  const command = new InvokeEndpointCommand({
    EndpointName: 'chain',
    ContentType: 'text/plain',
    Accept: 'text/wanted',
    Body: Buffer.from(body),
  })
  const { Body, ContentType } = await berth.runtime.send(command)
  return { text: Body.transformToString(), type: ContentType }
}

const invoke = (body: string): Promise<Answer> => askInTime(() => invokeOnce(body))

async function modelErrorOf(body: string, ask = invoke): Promise<ModelError> {
  const error: unknown = await ask(body).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ModelError, String(error))
  return error
}

suite('a serial pipeline of three containers', () => {
  test('hands on body and content type; what the caller accepts is for the last', async () => {
    const { text, type } = await invoke('a')
    const [body, clean, score, label] = text.split('|')
    assert.equal(body, 'a')
    assert.match(clean ?? '', /^clean text\/plain (?!text\/wanted)/)
    assert.match(score ?? '', /^score text\/clean (?!text\/wanted)/)
    assert.equal(label, 'label text/score text/wanted')
    assert.equal(type, 'text/label')
  })

  test('is described as it was created', async () => {
    const { Containers, PrimaryContainer } = await berth.sagemaker.send(
      new DescribeModelCommand({ ModelName: 'chain' }),
    )
    assert.deepEqual(
      Containers?.map(({ ContainerHostname }) => ContainerHostname),
      [...NAMES],
    )
    assert.equal(PrimaryContainer, undefined)
  })

  test('an error names the container that failed, whichever it is', async () => {
    for (const name of NAMES) {
      const error = await modelErrorOf(`raise ${name}`)
      assert.equal(error.OriginalStatusCode, 500)
      assert.match(error.message, new RegExp(`^Received server error \\(500\\) from ${name} `))
      assert.match(error.OriginalMessage ?? '', new RegExp(`broken ${name}`))
    }
  })

  test('more than 5 MB from one container to the next is refused in the words of AWS', async () => {
    const { message } = await modelErrorOf('fill clean')
    const received = 'Received response from clean with status code 200. However, the request'
    const excess = `${received} payload from clean to score is 6000000 bytes, which has exceeded`
    assert.ok(message.startsWith(`${excess} the maximum limit of 5 MB.`), message)
    assert.equal((await invoke('fill label')).text.length, 6_000_000)
  })

  test('a container that crashes fails its invocation alone, and is back', async () => {
    // The second worker of a container starts when the first has loaded: then the death of one leaves another.
    await until('both workers of score', async () => {
      const args = ['logs', 'chain', '--container', 'score', '--data-dir', berth.dataDir]
      return (await runCli(args)).stdout.split('model loaded').length === 3
    })
    const error = await modelErrorOf('exit score')
    assert.match(error.message, /^Received server error \(500\) from score .* exit code 9/)
    assert.match((await invoke('b')).text, /^b\|/)
    const { variants } = await describeInside(berth, 'chain')
    const score = variants[0]?.instances[0]?.containers?.find(
      ({ hostname }) => hostname === 'score',
    )
    assert.ok(score?.pid)
    process.kill(score.pid, 'SIGKILL')
    await until('the container is another one, and the pipeline answers', async () => {
      const pids = (await describeInside(berth, 'chain')).variants
        .flatMap(({ instances }) => instances)
        .flatMap(({ containers = [] }) => containers.map(({ pid }) => pid))
      if (pids.length === 0 || pids.includes(score.pid)) return false
      return await invokeOnce('c').catch(() => undefined)
    })
  })

  test('the deadline is of the whole chain, and names who had it', async () => {
    // On a machine that is busy elsewhere it may pass before score is asked.
    await until('the deadline to pass in score', async () => {
      const { message } = await modelErrorOf('hang score', invokeOnce)
      assert.match(message, /timed out while waiting for a response from container (clean|score)\./)
      return message.includes('container score.')
    })
  })
})
