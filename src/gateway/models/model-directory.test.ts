import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ModelAsk } from '../../domain/multi-model/model-messages.ts'
import { ModelDirectory } from './model-directory.ts'
import type { ModelHome } from './model-home.ts'

/** A directory of two models on one instance. */
function build() {
  const asks: ModelAsk[] = []
  let atMs = 0
  const directory = new ModelDirectory({ ask: (ask) => asks.push(ask), nowMs: () => atMs })
  const load = (targetModel: string, instanceId = 'i'): ModelHome => {
    const files = { contentHash: '0', fileBytes: 1, loadMs: 1 }
    directory.apply({
      kind: 'model-loaded',
      instanceId,
      targetModel,
      modelId: targetModel,
      ...files,
    })
    const home = directory.find(instanceId, targetModel)
    assert.ok(home !== undefined)
    return home
  }
  const askForCut = () => {
    directory.apply({ kind: 'models-ended', instanceId: 'i' })
    const answer = asks.at(-1)
    assert.ok(answer?.kind === 'models-cut')
    return answer.models
  }
  const pass = (ms: number): void => {
    atMs += ms
  }
  return { directory, load, askForCut, pass }
}

test('what was under way at a process that ended: what was cut off, and what is not noticed to be', () => {
  const { directory, load, askForCut } = build()
  const noticed = load('noticed')
  noticed.answeredCount = 4
  const unnoticed = load('unnoticed')
  unnoticed.outstandingCount = 2
  load('idle')
  load('elsewhere', 'other').outstandingCount = 1
  directory.recordCut(noticed)
  assert.deepEqual(askForCut(), [
    { targetModel: 'noticed', answeredCount: 4 },
    { targetModel: 'unnoticed', answeredCount: 0 },
  ])
  unnoticed.outstandingCount = 0
  assert.deepEqual(askForCut(), [], 'the next process has done nothing yet')
})

test('it is known for a while after the instance has left the routes', () => {
  const { directory, load, askForCut, pass } = build()
  const cut = load('cut')
  const busy = load('busy')
  busy.outstandingCount = 1
  directory.beginUse(busy)
  directory.recordCut(cut)
  directory.forget('i')
  assert.deepEqual(
    askForCut().map(({ targetModel }) => targetModel),
    ['cut', 'busy'],
  )
  directory.recordCut(cut)
  pass(30_000)
  directory.endUse(busy, true)
  busy.outstandingCount = 0
  assert.deepEqual(askForCut(), [])
})
