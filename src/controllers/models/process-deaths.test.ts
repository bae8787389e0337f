import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { CutModel, ModelNews } from '../../domain/multi-model/model-messages.ts'
import { ManualClock } from '../../platform/manual-clock.ts'
import type { ModelEvent } from './model-instance.ts'
import { ProcessDeaths } from './process-deaths.ts'

/** A fleet whose gateways answer only when the test does. */
function build(gatewayIds: readonly string[]) {
  const clock = new ManualClock()
  const asked: string[] = []
  const withdrawn: string[] = []
  const events: ModelEvent[] = []
  const deaths = new ProcessDeaths({
    connectedGatewayIds: () => gatewayIds,
    tell: (gatewayId, news: ModelNews) => asked.push(`${gatewayId} ${news.kind}`),
    recordEvent: (event) => events.push(event),
    withdraw: (targetModel) => withdrawn.push(targetModel),
    nowMs: () => clock.nowMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  })
  const end = (instanceId: string, loading: readonly string[] = []): void => {
    deaths.recordDeath({ instanceId, how: 'was killed by SIGKILL', loading, wasLast: true })
  }
  const answer = (gatewayId: string, instanceId: string, models: readonly CutModel[]): void => {
    deaths.recordAnswer(gatewayId, { kind: 'models-cut', instanceId, models })
  }
  const find = (model: string) => deaths.find(model, clock.nowMs())
  return { clock, deaths, end, answer, find, asked, withdrawn, events }
}

const cut = (targetModel: string, answeredCount = 0): CutModel => ({ targetModel, answeredCount })

test('what gateways had under way and what was being loaded is blamed together, once all have answered', async () => {
  const { deaths, end, answer, find, asked, withdrawn, events } = build(['g1', 'g2'])
  for (const instanceId of ['i1', 'i2']) {
    end(instanceId, ['loading'])
    answer('g1', instanceId, [cut('popular', 3), cut('deadly')])
    assert.equal(find('deadly'), undefined)
    // An answer about another instance is none to this question.
    answer('g2', 'i0', [])
    answer('g2', instanceId, [cut('popular', 4)])
    await deaths.untilJudged()
  }
  assert.deepEqual(asked, [
    'g1 models-ended',
    'g2 models-ended',
    'g1 models-ended',
    'g2 models-ended',
  ])
  assert.deepEqual(withdrawn, ['deadly'])
  assert.match(find('deadly')?.reason.message ?? '', /the last 2 processes .* killed by SIGKILL/)
  const kinds = events.map(({ kind }) => kind)
  assert.deepEqual(kinds, ['models-suspected', 'models-suspected', 'model-quarantined'])
  assert.equal(events[1]?.inputs['answered'], 'loading: 0, popular: 7, deadly: 0')
})

test('a gateway that is lost or does not answer is not waited for', async () => {
  const { clock, deaths, end, find } = build(['g1', 'g2'])
  for (const instanceId of ['i1', 'i2']) {
    end(instanceId, ['deadly'])
    deaths.recordLost('g1')
    await clock.advance(2_000)
    await deaths.untilJudged()
  }
  assert.notEqual(find('deadly'), undefined)
})

test('nothing was under way: nobody is blamed, and no event says so', async () => {
  const { deaths, end, answer, events } = build(['g1'])
  for (const instanceId of ['i1', 'i2']) {
    end(instanceId)
    answer('g1', instanceId, [])
    await deaths.untilJudged()
  }
  assert.deepEqual(events, [])
})

test('while no process serves a wait does not pass', async () => {
  const { clock, deaths, end, find } = build([])
  for (const instanceId of ['i1', 'i2']) {
    end(instanceId, ['deadly'])
    await deaths.untilJudged()
  }
  await clock.advance(60_000)
  deaths.recordServing()
  await clock.advance(14_999)
  assert.notEqual(find('deadly'), undefined)
  // Another instance comes, which nobody waited for.
  deaths.recordServing()
  await clock.advance(1)
  assert.equal(find('deadly'), undefined)
})
