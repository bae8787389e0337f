import { availableParallelism } from 'node:os'
import { makeDataDir } from './harness/berth.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import { writeRowModel } from './harness/model-repository.ts'
import type { Section } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import { encodeJsonRow, makeTensors } from './harness/row-requests.ts'
import type { BenchOptions, Scale } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { TritonProcess } from './harness/triton-process.ts'
import { makeMidSizeModel } from './models/mid-size.ts'
import { makeMlp } from './models/mlp.ts'

const CONNECTION_COUNTS = [1, 4, 16, 64]
const REQUEST_COUNT = 256
const WIDTH = 64
const OUTPUT_WIDTH = 10
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
    for (const [way, scheduling] of Object.entries(WAYS)) {
      await writeRowModel(folder.path, `${name}_${way}`, {
        bytes,
        inputWidth: WIDTH,
        outputWidth: OUTPUT_WIDTH,
        settings: `instance_group { kind: KIND_CPU count: ${instanceCount} } ${scheduling}`,
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
      'no queue delay, the load generator on the same cores; the same model with `dynamic_batching` (up to 64 rows) and without, ' +
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

async function askModel(
  { address }: TritonProcess,
  model: string,
  connectionCount: number,
  { warmMs, measuredMs }: Scale,
): Promise<number> {
  const rows = makeTensors(REQUEST_COUNT, WIDTH)
  using file = openRequestFile(rows.map((row) => encodeJsonRow(address, model, row)))
  const stopAfter = { kind: 'duration', warmMs, measuredMs: measuredMs / 2 } as const
  return (await runLoad({ address, requestsPath: file.path, connectionCount, stopAfter })).perSecond
}
