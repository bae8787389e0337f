import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { parseGraph } from '../src/wire/graph/parse-graph.ts'

const GUIDE = join(import.meta.dirname, '../docs/guide/graphs.md')
const BLOCK = /```yaml\n([\s\S]*?)```/g

test('every graph in the guide is one', () => {
  const texts = [...readFileSync(GUIDE, 'utf8').matchAll(BLOCK)].map(([, text = '']) => text)
  assert.ok(texts.length >= 2, `${texts.length} graphs`)
  for (const text of texts) assert.doesNotThrow(() => parseGraph(text), text)
})
