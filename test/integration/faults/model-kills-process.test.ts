import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'

import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { describeInside, serveEndpoint } from '../../support/serving.ts'
import { until } from '../../support/until.ts'
import { packModel, uploadModel } from '../../support/upload.ts'

// The models of berth/node share a process: a signal to it ends them all.
const KILL = `process.kill(process.pid, 'SIGKILL')`
const NAMED = `
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
export const modelFn = (directory: string) => readFileSync(join(directory, 'name.txt'), 'utf8')
`
const ANSWERS = `${NAMED} export const predictFn = (_: unknown, name: string) => ({ name })`
const KILLS_ANSWERING = `${NAMED} export const predictFn = () => { ${KILL} }`
const KILLS_LOADING = `${KILL}
${ANSWERS}`
const CALLERS = 3
const PAUSE_AFTER_FAILURE_MS = 20

let berth: RunningBerth
before(async () => {
  berth = await startBerth()
})
after(() => disposeBerth(berth))

async function serve(name: string, deadly: string, instanceCount: number): Promise<void> {
  const codeByModel = { deadly, steady: ANSWERS, other: ANSWERS }
  for (const [model, code] of Object.entries(codeByModel)) {
    const archive = await packModel({ 'name.txt': model, 'inference.ts': code })
    await uploadModel(berth, `${name}/${model}.tar.gz`, archive)
  }
  await serveEndpoint(berth, {
    name,
    image: 'berth/node',
    modelDataUrl: `s3://models/${name}/`,
    multiModel: { isCaching: true },
    instanceCount,
  })
}

async function invoke(name: string, model: string): Promise<unknown> {
  const { Body } = await berth.runtime.send(
    new InvokeEndpointCommand({
      EndpointName: name,
      TargetModel: `${model}.tar.gz`,
      ContentType: 'application/json',
      Body: '1',
    }),
  )
  return JSON.parse(Body.transformToString())
}

/** Callers who ask the models that do nothing wrong for as long as it runs. */
class InnocentLoad implements AsyncDisposable {
  readonly wrongAnswers: string[] = []
  readonly #loops: readonly Promise<void>[]
  #isStopping = false

  constructor(name: string) {
    this.#loops = Array.from({ length: CALLERS }, (_, caller) =>
      this.#run(name, caller === 0 ? 'other' : 'steady'),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#loops)
  }

  async #run(name: string, model: string): Promise<void> {
    while (!this.#isStopping) {
      try {
        const answer = JSON.stringify(await invoke(name, model))
        if (answer !== JSON.stringify({ name: model })) {
          this.wrongAnswers.push(`${model}: ${answer}`)
        }
      } catch {
        await pause(PAUSE_AFTER_FAILURE_MS)
      }
    }
  }
}

/** Asks the deadly model until it is left alone, and that is to be seen. @returns what its caller is told then. */
function untilLeftAlone(name: string): Promise<Error> {
  return until(
    `deadly of ${name} to be left alone`,
    async () => {
      const error = await invoke(name, 'deadly').catch((reason: unknown) => reason)
      assert.ok(error instanceof Error, `deadly answered ${JSON.stringify(error)}`)
      const { models } = await describeInside(berth, name)
      const held = models?.instances.flatMap(({ quarantined }) => quarantined) ?? []
      const isShown = held.some(({ reason }) => reason === error.message)
      const isCulprit =
        /^Model deadly\.tar\.gz is left alone: .* the last one was killed by SIGKILL\.$/.test(
          error.message,
        )
      return isShown && isCulprit && error
    },
    180_000,
  )
}

async function assertExplained(name: string): Promise<void> {
  const { events } = await describeInside(berth, name)
  const suspected = events.filter(
    ({ kind, reason }) =>
      kind === 'models-suspected' && /was killed by SIGKILL while .*deadly/.test(reason),
  )
  // Of the newest events; the first deaths may be behind them.
  assert.ok(suspected.length > 0, 'no death was looked into')
  const blamed = events.filter(({ inputs }) => inputs['cause'] === 'deadly')
  const culprits = blamed.filter(({ inputs }) => inputs['otherCount'] === 0)
  const isSeenKilled = culprits.some(({ inputs }) => inputs['how'] === 'was killed by SIGKILL')
  assert.ok(isSeenKilled, JSON.stringify(blamed))
  for (const { kind, reason, inputs } of culprits) {
    assert.equal(kind, 'model-quarantined')
    assert.equal(inputs['targetModel'], 'deadly.tar.gz')
    assert.match(reason, /is left alone for \d+ s: the last \d+ processes ended/)
  }
}

suite('a model that ends the process which it shares', () => {
  test('while it answers: it is left alone and says why, the others answer on', async () => {
    await serve('answering', KILLS_ANSWERING, 1)
    await using load = new InnocentLoad('answering')
    const error = await untilLeftAlone('answering')
    assert.equal(error.name, 'ModelError')
    await assertExplained('answering')
    await until('steady to answer', () => invoke('answering', 'steady').catch(() => undefined))
    for (let count = 0; count < 20; count += 1) {
      assert.deepEqual(await invoke('answering', 'steady'), { name: 'steady' })
    }
    assert.deepEqual(load.wrongAnswers, [])
  })

  test('by SIGKILL amid its load, on one instance after the other: the same', async () => {
    await serve('loading', KILLS_LOADING, 2)
    await using load = new InnocentLoad('loading')
    const error = await untilLeftAlone('loading')
    assert.equal(error.name, 'ModelError')
    await assertExplained('loading')
    await until('other to answer', () => invoke('loading', 'other').catch(() => undefined))
    assert.deepEqual(load.wrongAnswers, [])
  })
})
