import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'

import { ensureExamplePython, ensureModelPython } from '../support/model-python.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')

/** What an example says at its end, and the requirements that its Python has beside those of all tests. */
const STORIES = [
  {
    name: 'sklearn',
    requirements: undefined,
    says: /44 of 45 held-out wines right/,
  },
  {
    name: 'xgboost',
    requirements: undefined,
    says: /137 of 143 held-out cases right/,
  },
  {
    name: 'tenants',
    requirements: undefined,
    says: /post-office: 437 of 450 held-out rows right[^]*rows of herbarium for the model of vineyard: ModelError\n/,
  },
  {
    name: 'cascade',
    requirements: undefined,
    says: /alone: 713 of 719 [^]*cascade: 713 right; 102 images asked of the expensive model, 85\.8 % saved/,
  },
  {
    name: 'router',
    requirements: undefined,
    says: /fast: 699 of 719 held-out images right; exact: 713\n[^]*there are fast, exact\.\n413 At most/,
  },
  {
    name: 'sentences',
    requirements: 'model/code/requirements.txt',
    says: /10 of 10 sentences are nearest to their partner\nstreamed: 10 vectors, the same/,
  },
  {
    name: 'ocr',
    requirements: 'requirements.txt',
    says: /1,234\.50 ?EUR\nThank ?you ?for ?your ?business\n[^]*what was drawn was read\nby the pipeline: .* from read [^]*what was drawn was read/,
  },
] as const

suite('every example tells its story to the end', () => {
  for (const { name, requirements, says } of STORIES) {
    test(name, async () => {
      const python =
        requirements === undefined
          ? await ensureModelPython()
          : await ensureExamplePython(join(EXAMPLES, name, requirements))
      const run = join(EXAMPLES, name, 'run.ts')
      const env = { ...process.env, BERTH_PYTHON: python }
      const { stdout } = await promisify(execFile)(process.execPath, [run], { env })
      assert.match(stdout, says)
    })
  }
})
