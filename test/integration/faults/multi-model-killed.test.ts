import assert from 'node:assert/strict'
import { afterEach, suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { InvokeEndpointCommand, SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { uploadNumbered } from '../../support/numbered-models.ts'
import { describeInside, describePlatform, serveEndpoint } from '../../support/serving.ts'
import { until } from '../../support/until.ts'

const MODEL_COUNT = 12
const CALLERS = 4
// A refused connection fails in no time: without a pause the callers would take the machine from what they wait for.
const PAUSE_AFTER_FAILURE_MS = 20

/** Callers who ask one model after the other for as long as it runs, and look whether it was that one who answered. */
class NumberedLoad implements AsyncDisposable {
  readonly wrongAnswers: string[] = []
  readonly failures: string[] = []
  readonly #client: SageMakerRuntimeClient
  readonly #loops: readonly Promise<void>[]
  #okCount = 0
  #isStopping = false

  constructor(berth: RunningBerth) {
    this.#client = new SageMakerRuntimeClient({
      endpoint: berth.url,
      region: 'us-east-1',
      credentials: berth.credentials,
      maxAttempts: 1,
    })
    this.#loops = Array.from({ length: CALLERS }, (_, caller) => this.#run(caller))
  }

  async untilMoreAnswers(count: number): Promise<void> {
    const from = this.#okCount
    const seen = () => `; failures: ${JSON.stringify(this.failures.slice(-3))}`
    await until(`${count} more answers${seen()}`, () => this.#okCount >= from + count, 120_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
    this.#client.destroy()
  }

  async #run(caller: number): Promise<void> {
    for (let turn = caller; !this.#isStopping; turn += 1) {
      const number = (turn * 7) % MODEL_COUNT
      const command = new InvokeEndpointCommand({
        EndpointName: 'tight',
        TargetModel: `m${number}.tar.gz`,
        ContentType: 'application/json',
        Body: '[[7]]',
      })
      try {
        const { Body } = await this.#client.send(command)
        const text = Body.transformToString()
        const isRight = text.replaceAll(/\s/g, '') === `{"predictions":[[${number}]]}`
        if (isRight) this.#okCount += 1
        else this.wrongAnswers.push(`m${number} answered ${text}`)
      } catch (error) {
        this.failures.push(String(error))
        await pause(PAUSE_AFTER_FAILURE_MS)
      }
    }
  }
}

suite('a multi-model endpoint under load with evictions', () => {
  let berth: RunningBerth
  afterEach(() => disposeBerth(berth))

  test('no wrong model answers while gateway and control are killed and come back', async () => {
    berth = await startBerth()
    for (let number = 0; number < MODEL_COUNT; number += 1) {
      await uploadNumbered(berth, 'tight/', number)
    }
    await serveEndpoint(berth, {
      name: 'tight',
      image: 'berth/onnx',
      modelDataUrl: 's3://models/tight/',
      multiModel: { isCaching: true },
      // Less than the program itself takes: every load evicts.
      environment: { BERTH_MODEL_MEMORY_BYTES: String(8 * 1024 ** 2) },
    })
    await using load = new NumberedLoad(berth)
    await load.untilMoreAnswers(50)

    const { gateways } = await describePlatform(berth)
    process.kill(gateways[0]?.pid ?? 0, 'SIGKILL')
    await load.untilMoreAnswers(100)

    await berth.killControl()
    berth = await startBerth({ dataDir: berth.dataDir, port: berth.port })
    await load.untilMoreAnswers(100)

    const { events } = await describeInside(berth, 'tight')
    assert.ok(events.some(({ kind }) => kind === 'model-evicted'))
    assert.deepEqual(load.wrongAnswers, [])
  })
})
