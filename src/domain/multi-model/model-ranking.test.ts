import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ModelRanking } from './model-ranking.ts'

const NOW_MS = 1_000_000
const MODELS = [{ model: 'small-slow' }, { model: 'large-quick' }]

function rankingOf(policy: 'gdsf' | 'lru'): ModelRanking {
  const ranking = new ModelRanking(policy)
  ranking.recordCost('small-slow', { bytes: 1_000, reloadMs: 100 }, NOW_MS)
  ranking.recordCost('large-quick', { bytes: 100_000, reloadMs: 10 }, NOW_MS)
  ranking.recordUse('small-slow', 1, NOW_MS)
  ranking.recordUse('large-quick', 1, NOW_MS + 10)
  return ranking
}

test('gdsf lets the large quick model go first, lru the one that was used before', () => {
  assert.equal(rankingOf('gdsf').chooseVictim(MODELS, NOW_MS + 20)?.model, 'large-quick')
  assert.equal(rankingOf('lru').chooseVictim(MODELS, NOW_MS + 20)?.model, 'small-slow')
})

test('a model that is not used any more is overtaken by what comes after evictions', () => {
  const ranking = rankingOf('gdsf')
  let nowMs = NOW_MS
  for (let round = 0; round < 200; round += 1) {
    nowMs += 60_000
    const model = `passing-${round}`
    ranking.recordCost(model, { bytes: 1_000, reloadMs: 100 }, nowMs)
    ranking.recordUse(model, 1, nowMs)
    ranking.recordEviction(model, nowMs)
  }
  ranking.recordCost('new', { bytes: 1_000, reloadMs: 100 }, nowMs)
  ranking.recordUse('new', 1, nowMs)
  const victim = ranking.chooseVictim([{ model: 'new' }, { model: 'small-slow' }], nowMs)
  assert.equal(victim?.model, 'small-slow')
})

test('nothing is chosen where nothing may go', () => {
  assert.equal(rankingOf('gdsf').chooseVictim([], NOW_MS), undefined)
})
