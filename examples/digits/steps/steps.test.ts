import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { extract } from 'tar-stream'
import { packModel } from './archive.ts'
import { chooseEvenly, loadHoldout, loadMetrics, parseHoldout } from './holdout.ts'
import { parseAnswers } from './invoke.ts'
import { parseOptions, UsageError } from './options.ts'
import { findPackageRoot } from './package-root.ts'
import { CARD_WIDTH, drawCards, drawImage } from './picture.ts'
import { Terminal } from './terminal.ts'

const folder = join(findPackageRoot(), 'examples', 'digits')
const { style } = new Terminal(process.stdout)

test('the committed held-out images are as many as train.py measured', async () => {
  const images = await loadHoldout(join(folder, 'holdout.csv'))
  const metrics = await loadMetrics(join(folder, 'model', 'metrics.json'))
  assert.equal(images.length, metrics.heldOutCount)
  assert.ok(Math.abs(metrics.accuracy - metrics.correctCount / metrics.heldOutCount) < 1e-6)
  assert.ok(metrics.accuracy >= 0.97)
  assert.ok(images.every(({ pixels }) => pixels.every((ink) => ink >= 0 && ink <= 16)))
})

test('one-image.json is the first held-out image', async () => {
  const [first] = await loadHoldout(join(folder, 'holdout.csv'))
  const body = JSON.parse(await readFile(join(folder, 'one-image.json'), 'utf8'))
  assert.deepEqual(body, { instances: [first?.pixels] })
})

test('a held-out line with a missing pixel names the line', () => {
  const good = `3${',0'.repeat(64)}`
  assert.equal(parseHoldout(`${good}\n`).length, 1)
  assert.throws(() => parseHoldout(`${good}\n3,1,2\n`), /Line 2 /)
})

test('images are chosen at equal distances', () => {
  assert.deepEqual(chooseEvenly([0, 1, 2, 3, 4, 5, 6, 7], 4), [0, 2, 4, 6])
})

test('the archive holds model.onnx alone, and its hash is the same on every run', async () => {
  const path = join(folder, 'model', 'model.onnx')
  const archive = await packModel(path)
  const names: string[] = []
  for await (const entry of Readable.from([gunzipSync(archive.bytes)]).pipe(extract())) {
    names.push(entry.header.name)
    assert.deepEqual(await buffer(entry), await readFile(path))
  }
  assert.deepEqual(names, ['model.onnx'])
  assert.equal((await packModel(path)).contentHash, archive.contentHash)
})

test('options: a folder and a port are taken, mistakes are usage errors', () => {
  const options = parseOptions(['--once', '--port', '0', '--data-dir', '/tmp/x'])
  assert.deepEqual(options, { once: true, help: false, port: 0, dataDir: '/tmp/x' })
  for (const given of [
    ['--port', 'abc'],
    ['--port', '65536'],
    ['--nonsense'],
    ['--data-dir', ''],
  ]) {
    assert.throws(() => parseOptions(given), UsageError, given.join(' '))
  }
})

test('a pixel without ink is blank and one full of ink is solid', () => {
  const rows = drawImage([0, 16, ...Array.from({ length: 62 }, () => 8)])
  assert.equal(rows.length, 8)
  assert.ok(rows.every((row) => row.length === 16))
  assert.equal(rows[0]?.slice(0, 6), '  ██▒▒')
})

test('cards stand side by side only where they fit', () => {
  const image = { label: 1, pixels: Array.from({ length: 64 }, () => 16) }
  const answer = { label: 1, confidence: 1, probabilities: [0, 1] }
  const cards = [image, image].map(() => ({ image, answer, latencyMs: 1 }))
  assert.equal(drawCards(cards, CARD_WIDTH * 2, style).length, 9)
  assert.equal(drawCards(cards, CARD_WIDTH, style).length, 18)
})

test('answers are read with the confidence of their label; anything else is an error', () => {
  const [answer] = parseAnswers('{"predictions":[{"label":1,"probabilities":[0.25,0.75]}]}')
  assert.deepEqual(answer, { label: 1, confidence: 0.75, probabilities: [0.25, 0.75] })
  for (const given of ['{}', '{"predictions":[{}]}', '{"predictions":[{"label":1}]}']) {
    assert.throws(() => parseAnswers(given), Error, given)
  }
})
