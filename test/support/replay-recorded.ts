import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { exchange } from '../../scripts/record-triton/exchange.ts'
import type { Exchange, RecordedResponse } from '../../scripts/record-triton/exchange.ts'
import { maskResponse } from '../../scripts/record-triton/mask.ts'
import type { RecordedProtocol } from '../../scripts/record-triton/record-protocol.ts'
import { startTriton } from './triton-server.ts'

/** What tritonserver 2.51 said (`scripts/record-triton.ts`). */
export const RECORDINGS = resolve(import.meta.dirname, '../fixtures/triton')
const SHARED_KEY = '<shm>'

/** A recording, and how it is asked again. */
export interface Replay {
  readonly file: string
  /** Of tracing; `<dir>` stands for the folder of the replay. */
  readonly traceFlags: readonly string[]
  readonly writeModels: (to: string) => void
  /** Models whose exchanges are not asked. */
  readonly without: readonly string[]
  /** Where Berth answers otherwise, by the name of the exchange, and why. */
  readonly different: Readonly<Record<string, string>>
}

/**
 * Asks a server what tritonserver was asked, in the same order, and asserts the same answers and traces.
 *
 * @returns how many exchanges were not asked.
 */
export async function replayRecorded(replay: Replay): Promise<number> {
  const { file, traceFlags, without, different } = replay
  const recording = readFileSync(join(RECORDINGS, file), 'utf8')
  const { exchanges, traces } = JSON.parse(recording) as RecordedProtocol
  const directory = mkdtempSync(join(tmpdir(), 'berth-recorded-'))
  const key = `/berth-recorded-${process.pid}-${file}`
  replay.writeModels(join(directory, 'models'))
  writeFileSync(`/dev/shm${key}`, new Uint8Array(Float32Array.from(Array(16).keys()).buffer))
  const server = await startTriton(join(directory, 'models'), [
    '--model-control-mode=explicit',
    '--exit-on-error=false',
    '--load-model=*',
    '--allow-client-shm=true',
    ...traceFlags.map((flag) => `--trace-config=${flag.replace('<dir>', directory)}`),
  ])
  let notAsked = 0
  try {
    for (const recorded of exchanges) {
      const model = /models\/([^/?]+)/.exec(recorded.request.path)?.[1] ?? ''
      if (without.includes(model) || !('response' in recorded)) {
        notAsked += 1
        continue
      }
      const real = JSON.stringify(recorded.request).replaceAll(SHARED_KEY, key)
      const asked = JSON.parse(real) as Exchange['request']
      const answered = maskResponse(await exchange(server.httpPort, asked), directory)
      assertSame(recorded, answered, { key, reason: different[recorded.name] })
    }
  } finally {
    assert.equal(await server.stop(), 0)
    rmSync(`/dev/shm${key}`)
  }
  if (traces !== undefined) assert.deepEqual(readTraces(directory), sortTraces(traces))
  rmSync(directory, { recursive: true })
  return notAsked
}

function assertSame(
  recorded: Exchange,
  answered: RecordedResponse,
  { key, reason }: { readonly key: string; readonly reason: string | undefined },
): void {
  const got = normalise(answered, key)
  const wanted = normalise(recorded.response, key)
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
