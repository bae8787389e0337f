import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { exchange } from '../../scripts/record-triton/exchange.ts'
import type { Exchange, RecordedResponse } from '../../scripts/record-triton/exchange.ts'
import { maskResponse } from '../../scripts/record-triton/mask.ts'
import type { RecordedProtocol } from '../../scripts/record-triton/record-protocol.ts'
import { startTriton } from '../support/triton-server.ts'
import { sortModels, writeStandIns } from '../support/triton-stand-ins.ts'
import { DIFFERENT } from './triton-recorded-differences.ts'

// What tritonserver 2.51 said (scripts/record-triton.ts), asked of Berth with ONNX models in place of Python ones that do the same.
const FIXTURES = resolve(import.meta.dirname, '../fixtures/triton')
const SHARED_KEY = '<shm>'

for (const [file, flags, waitingCount] of [
  ['recorded.json', [], 131],
  ['protocol.json', ['level=OFF', 'triton,file=<dir>/trace.json'], 25],
] as const) {
  test(`answers as tritonserver did: ${file}`, async () => {
    const { exchanges, traces } = JSON.parse(
      readFileSync(join(FIXTURES, file), 'utf8'),
    ) as RecordedProtocol
    const directory = mkdtempSync(join(tmpdir(), 'berth-recorded-'))
    const key = `/berth-recorded-${process.pid}-${file}`
    writeStandIns(join(directory, 'models'))
    writeFileSync(`/dev/shm${key}`, new Uint8Array(Float32Array.from(Array(16).keys()).buffer))
    const server = await startTriton(join(directory, 'models'), [
      '--model-control-mode=explicit',
      '--exit-on-error=false',
      '--load-model=*',
      '--allow-client-shm=true',
      ...flags.map((flag) => `--trace-config=${flag.replace('<dir>', directory)}`),
    ])
    // Models without a stand-in; their exchanges are asked when there is a Python backend.
    const { waiting } = sortModels()
    let waited = 0
    try {
      for (const recorded of exchanges) {
        const model = /models\/([^/?]+)/.exec(recorded.request.path)?.[1] ?? ''
        if (waiting.includes(model) || !('response' in recorded)) {
          waited += 1
          continue
        }
        const real = JSON.stringify(recorded.request).replaceAll(SHARED_KEY, key)
        const asked = JSON.parse(real) as Exchange['request']
        const answered = maskResponse(await exchange(server.httpPort, asked), directory)
        assertSame(recorded, answered, key)
      }
    } finally {
      assert.equal(await server.stop(), 0)
      rmSync(`/dev/shm${key}`)
    }
    assert.equal(waited, waitingCount)
    if (traces !== undefined) assert.deepEqual(readTraces(directory), sortTraces(traces))
    rmSync(directory, { recursive: true })
  })
}

function assertSame(recorded: Exchange, answered: RecordedResponse, key: string): void {
  const got = normalise(answered, key)
  const wanted = normalise(recorded.response, key)
  const reason = DIFFERENT[recorded.name]
  if (reason === undefined) assert.deepEqual(got, wanted, recorded.name)
  else assert.notDeepEqual(got, wanted, `${recorded.name} is the same: ${reason}`)
}

// Triton says `text/plain` of some answers that are JSON, or empty, and puts a space behind some sentences.
function normalise({ status, headers, body }: RecordedResponse, key: string): unknown {
  const { 'content-type': type = '', ...others } = headers
  if (!('text' in body)) return { status, type, others, body }
  const text = body.text
    .replaceAll(key, SHARED_KEY)
    .replaceAll(/"(platform|backend)":"(python|onnxruntime)"/g, '"$1":"<backend>"')
    .replaceAll(/"default_model_filename":"model\.(py|onnx)"/g, '"default_model_filename":"<file>"')
    .replace(/\. "\}$/, '."}')
  const shown = type === 'text/plain' || text === '' ? 'application/json' : type
  return { status, type: shown, others, text }
}

function readTraces(directory: string): unknown {
  const names = readdirSync(directory).filter((name) => name.startsWith('trace.json'))
  return sortTraces(
    Object.fromEntries(
      names.map((name) => {
        const text = readFileSync(join(directory, name), 'utf8')
        return [name, JSON.parse(text.replaceAll(/"ns":\d+/g, '"ns":0')) as unknown]
      }),
    ),
  )
}

/** The order of records within a file is by chance. */
function sortTraces(traces: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(
    Object.entries(traces).map(([name, records]) => {
      const texts = (records as unknown[]).map((record) => JSON.stringify(record))
      return [name, texts.toSorted()]
    }),
  )
}
