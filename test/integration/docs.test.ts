import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'

import { ensurePythonEnvironment } from '../../scripts/python-env.ts'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { ensureModelPython } from '../support/model-python.ts'

const ROOT = join(import.meta.dirname, '../..')
const GUIDE = join(ROOT, 'docs/guide')
const BLOCK = /<!-- run -->\n```(\w+)\n([\s\S]*?)```/g

/** A command block of a page, as it stands there. */
interface Block {
  /** From the top of the repository. */
  readonly page: string
  readonly language: string
  readonly text: string
}

const guidePages = readdirSync(GUIDE).filter((page) => page.endsWith('.md') && page !== 'README.md')
const pages = ['README.md', ...guidePages.map((page) => join('docs/guide', page))]
const blocks = pages.flatMap((page) => blocksOf(page))
const python = await ensurePythonEnvironment()

let berth: RunningBerth
let bin: string

before(async () => {
  // The packages of the examples are there already: the guide is tested, not the package index.
  berth = await startBerth({ environment: { BERTH_PYTHON: await ensureModelPython() } })
  bin = mkdtempSync(join(tmpdir(), 'berth-docs-'))
  const launcher = join(bin, 'berth')
  writeFileSync(launcher, `#!/bin/sh\nexec node ${ROOT}/src/cli/main.ts "$@"\n`)
  chmodSync(launcher, 0o755)
})

after(async () => {
  await disposeBerth(berth)
  // The home of what the pages run: some of it may end a moment after its command.
  rmSync(bin, { recursive: true, force: true, maxRetries: 10 })
})

test('the guide has commands to run', () => {
  assert.ok(blocks.length >= 8, `${blocks.length} blocks`)
})

for (const [index, block] of blocks.entries()) {
  if ('skipped' in python && (block.language === 'python' || block.text.includes('aws '))) {
    test(`${block.page} block ${index} was not run: ${python.skipped}`, () => {})
  } else {
    test(`${block.page} block ${index} runs: ${block.text.split('\n')[0]}`, async () => {
      const { code, output } = await run(block)
      assert.equal(code, 0, output)
    })
  }
}

function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(BLOCK)].map(([, language = '', body = '']) => ({
    page,
    language,
    text: body,
  }))
}

function run({ language, text }: Block): Promise<{ code: number; output: string }> {
  const pythonBin = 'skipped' in python ? [] : [dirname(python.python)]
  const PATH = [bin, dirname(process.execPath), ...pythonBin, process.env['PATH']].join(':')
  const env = {
    PATH,
    HOME: bin,
    // The guide must hold wherever another program has the default port.
    BERTH_PORT: '0',
    AWS_ENDPOINT_URL: berth.url,
    AWS_ACCESS_KEY_ID: berth.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: berth.credentials.secretAccessKey,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
  }
  const command = language === 'python' ? ['python3', '-c', text] : ['bash', '-euc', text]
  return new Promise((resolve) => {
    const [file = '', ...args] = command
    execFile(file, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: `${stdout}\n${stderr}` })
    })
  })
}
