import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { makeDataDir } from './harness/berth.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import type { Section } from './harness/report.ts'
import { encodeRequests } from './harness/requests.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions, Scale } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { TritonProcess } from './harness/triton-process.ts'
import { makeMidSizeModel } from './models/mid-size.ts'
import { makeMlp } from './models/mlp.ts'

const CONNECTION_COUNTS = [1, 4, 16, 64]
const REQUEST_COUNT = 256
const WIDTH = 64
const ROWS_MAX = 64
const ROUND_COUNT_MAX = 3
// 64 MiB of weights: a row alone waits for memory most of the time, as rows of language and ranking models do.
const MLP = { width: 2048, layerCount: 4 }

const WAYS = { batched: 'dynamic_batching { }', unbatched: '' } as const
type Way = keyof typeof WAYS

/** What running requests together gains where the time goes into the model. */
export async function measureDynamicBatcher({ scale, show }: BenchOptions): Promise<Section> {
  const models = {
    'wide MLP, 64 MiB of weights': { name: 'mlp', bytes: makeMlp(MLP) },
    'convolutions, some ms a row': { name: 'convolutions', bytes: makeMidSizeModel() },
  }
  await using folder = await makeDataDir()
  const instanceCount = availableParallelism()
  for (const { name, bytes } of Object.values(models)) {
    for (const way of Object.keys(WAYS) as Way[]) {
      await writeModel(join(folder.path, `${name}_${way}`), bytes, {
        scheduling: WAYS[way],
        instanceCount,
      })
    }
  }
  await using server = await TritonProcess.start(folder.path)
  const roundCount = Math.min(scale.roundCount, ROUND_COUNT_MAX)
  const tables: (readonly string[])[] = []
  for (const [label, { name }] of Object.entries(models)) {
    for (const connectionCount of CONNECTION_COUNTS) {
      const cases = (Object.keys(WAYS) as Way[]).map((way) => ({
        name: `${name}, ${connectionCount}: ${way}`,
        measure: () => askModel(server, `${name}_${way}`, connectionCount, scale),
      }))
      const [batched = [], unbatched = []] = (await runRounds(cases, roundCount, show)).values()
      tables.push([label, String(connectionCount), ...compare(batched, unbatched)])
    }
  }
  return {
    title: 'Dynamic batcher: together against one by one',
    text:
      `\`berth model-server\` with ${instanceCount} instances of one thread each over HTTP, JSON rows of ${WIDTH} floats, one row a request, ` +
      `no queue delay, the load generator on the same cores; the same model with \`dynamic_batching\` (up to ${ROWS_MAX} rows) and without, ` +
      `in one server, medians of ${roundCount} interleaved rounds.`,
    tables: [
      {
        columns: ['Model', 'Connections', 'Batched/s', 'range', 'Unbatched/s', 'range', 'Gain'],
        rows: tables,
      },
    ],
  }
}

function compare(batched: readonly number[], unbatched: readonly number[]): readonly string[] {
  const cells = [batched, unbatched].flatMap((samples) => {
    const [least, most] = range(samples)
    return [median(samples).toFixed(0), `${least.toFixed(0)} – ${most.toFixed(0)}`]
  })
  return [...cells, `${(median(batched) / median(unbatched)).toFixed(2)}×`]
}

async function writeModel(
  directory: string,
  bytes: Buffer,
  { scheduling, instanceCount }: { readonly scheduling: string; readonly instanceCount: number },
): Promise<void> {
  const model = join(directory, '1', 'model.onnx')
  await mkdir(dirname(model), { recursive: true })
  await writeFile(model, bytes)
  const port = (name: string, size: number): string =>
    `[ { name: "${name}" data_type: TYPE_FP32 dims: [ ${size} ] } ]`
  await writeFile(
    join(directory, 'config.pbtxt'),
    `backend: "onnxruntime" max_batch_size: ${ROWS_MAX} input ${port('input', WIDTH)} output ${port('output', 10)} ` +
      `instance_group { kind: KIND_CPU count: ${instanceCount} } ${scheduling}`,
  )
}

async function askModel(
  { address }: TritonProcess,
  model: string,
  connectionCount: number,
  { warmMs, measuredMs }: Scale,
): Promise<number> {
  const requests = Array.from({ length: REQUEST_COUNT }, (_none, index) => {
    const data = Array.from({ length: WIDTH }, (_value, at) => ((index * 31 + at * 7) % 100) / 100)
    const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, WIDTH], data }]
    return {
      method: 'POST',
      path: `/v2/models/${model}/infer`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs }),
    } as const
  })
  using file = openRequestFile(encodeRequests(address, requests))
  const stopAfter = { kind: 'duration', warmMs, measuredMs: measuredMs / 2 } as const
  return (await runLoad({ address, requestsPath: file.path, connectionCount, stopAfter })).perSecond
}
