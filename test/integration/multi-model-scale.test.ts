import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'

import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { measureDiskBytes } from '../../src/adapters/files/disk-usage.ts'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { numberedModel } from '../support/numbered-models.ts'
import { describeInside, serveEndpoint } from '../support/serving.ts'
import type { Deployable } from '../support/serving.ts'
import { until } from '../support/until.ts'
import { packModel, uploadModel } from '../support/upload.ts'

const MODELS = join(import.meta.dirname, '../fixtures/models')
const DISK_BYTES = 1024 ** 2
const BALLAST_BYTES = 100_000
const MODEL_COUNT = 12
// What the folders and records of the last loads take on top of what is written.
const FOLDERS_BYTES_MAX = 16 * 4096

interface ModelsInside {
  readonly models: { readonly instances: readonly { readonly models: readonly unknown[] }[] }
}

let berth: RunningBerth
before(async () => {
  berth = await startBerth({ environment: { BERTH_MODEL_DISK_BYTES: String(DISK_BYTES) } })
})
after(() => disposeBerth(berth))

async function serve(
  name: string,
  changes: Pick<Deployable, 'environment' | 'instanceCount'> & { readonly prefix: string },
): Promise<void> {
  const { prefix, ...others } = changes
  const modelDataUrl = `s3://models/${prefix}`
  const multiModel = { isCaching: true }
  await serveEndpoint(berth, { name, image: 'berth/onnx', modelDataUrl, multiModel, ...others })
}

async function invoke(name: string, targetModel: string, body: string): Promise<unknown> {
  const command = new InvokeEndpointCommand({
    EndpointName: name,
    TargetModel: targetModel,
    ContentType: 'application/json',
    Body: body,
  })
  const { Body } = await berth.runtime.send(command)
  return JSON.parse(Body.transformToString())
}

async function assertAnswer(name: string, number: number): Promise<void> {
  const answer = await invoke(name, `m${number}.tar.gz`, '[[7]]')
  assert.deepEqual(answer, { predictions: [[number]] })
}

/** Number N beside so many bytes that no compression makes smaller. */
async function uploadHeavy(prefix: string, number: number): Promise<void> {
  const files = { 'model.onnx': numberedModel(number), ballast: randomBytes(BALLAST_BYTES) }
  await uploadModel(berth, `${prefix}m${number}.tar.gz`, await packModel(files))
}

const numbers = Array.from({ length: MODEL_COUNT }, (_, index) => index)

suite('the files of many models', () => {
  before(async () => {
    for (const number of numbers) await uploadHeavy('heavy/', number)
  })

  /** Asks for each model from two sides at once; then looks at the disk. */
  async function askForAll(name: string): Promise<void> {
    const lanes = Array.from({ length: 2 }, async (_, lane) => {
      for (const number of numbers) await assertAnswer(name, (number + lane * 6) % MODEL_COUNT)
    })
    await Promise.all(lanes)
    const folder = join(berth.dataDir, 'models')
    const own = (await readdir(folder)).filter((entry) => /^[0-9a-f]{64}/.test(entry))
    const bytes = await Promise.all(own.map((entry) => measureDiskBytes(join(folder, entry))))
    const sum = bytes.reduce((total, each) => total + each, 0)
    assert.ok(sum <= DISK_BYTES + FOLDERS_BYTES_MAX, `${sum} bytes on the disk`)
  }

  test('stay within their part of the disk, and every model answers, loaded or not', async () => {
    // Less than the program itself takes: every load evicts.
    const environment = { BERTH_MODEL_MEMORY_BYTES: String(8 * 1024 ** 2) }
    await serve('passing', { prefix: 'heavy/', environment })
    await askForAll('passing')
  })

  test('do so too when memory would hold more models than the disk', async () => {
    await serve('staying', { prefix: 'heavy/' })
    await askForAll('staying')
    const { events } = await describeInside(berth, 'staying')
    const evicted = events.filter(({ kind }) => kind === 'model-evicted')
    assert.match(evicted[0]?.reason ?? '', /its files leave the disk for others/)
  })
})

test('a model that is asked for more than one instance can answer gets a copy on another', async () => {
  const files = { 'model.onnx': readFileSync(join(MODELS, 'heavy.onnx')) }
  await uploadModel(berth, 'hot/heavy.tar.gz', await packModel(files))
  await serve('hot', { prefix: 'hot/', instanceCount: 2 })
  const asking = new AbortController()
  // Longer than the model takes to load, and more at a time than one instance runs: they wait.
  const crowd = Array.from({ length: 8 }, async () => {
    while (!asking.signal.aborted) await invoke('hot', 'heavy.tar.gz', '[[200]]')
  })
  try {
    await until('the model on both instances', async () => {
      const { models } = (await describeInside(berth, 'hot')) as unknown as ModelsInside
      return models.instances.every((instance) => instance.models.length === 1)
    })
  } finally {
    asking.abort()
    await Promise.all(crowd)
  }
})
