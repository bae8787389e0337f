import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir } from './harness/berth.ts'
import { signInvocations } from './harness/invocations.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import { measureRawOnnx } from './harness/raw-onnx.ts'
import type { Section } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { makeMidSizeModel } from './models/mid-size.ts'

const NAME = 'mid-size'
const CONNECTION_COUNT = 16
const RAW_BATCH_SIZES = [1, 8]
const BERTH = `Berth, ${CONNECTION_COUNT} connections`

/** How much of the arithmetic that the machine can do for a model Berth lets clients have. */
export async function measureMidSize({ scale, show }: BenchOptions): Promise<Section> {
  await using folder = await makeDataDir()
  const modelPath = join(folder.path, 'mid-size.onnx')
  await writeFile(modelPath, makeMidSizeModel())
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await berth.registerModel(NAME, modelPath)
  await berth.createEndpoint(NAME)
  const askBerth = async () => {
    using file = openRequestFile(await signInvocations(berth, NAME))
    const address = addressOfUrl(berth.running.url)
    const stopAfter = { kind: 'duration', ...scale } as const
    const load = { address, requestsPath: file.path, connectionCount: CONNECTION_COUNT, stopAfter }
    return (await runLoad(load)).perSecond
  }
  const threadCount = availableParallelism()
  const seconds = scale.measuredMs / 1000
  const cases = [
    ...RAW_BATCH_SIZES.map((batchSize) => ({
      name: `ONNX Runtime alone, ${threadCount} threads, batch ${batchSize}`,
      measure: () => measureRawOnnx({ modelPath, threadCount, batchSize, seconds }),
    })),
    { name: BERTH, measure: askBerth },
  ]
  const results = await runRounds(cases, scale.roundCount, show)
  const raw = Math.max(
    ...[...results].flatMap(([name, samples]) => (name === BERTH ? [] : [median(samples)])),
  )
  return {
    title: 'Mid-size model: share of the machine',
    text: `Convolutions of some milliseconds (\`bench/models/mid-size.ts\`), JSON, SigV4 on, the load generator on the same cores; medians of ${scale.roundCount} interleaved rounds. Share: of the better of the two ways to run ONNX Runtime alone. Target: 85 %, strive for 95 %.`,
    tables: [
      {
        columns: ['Way', 'Rows/s', 'range', 'share'],
        rows: [...results].map(([name, samples]) => {
          const [least, most] = range(samples)
          const share = `${((100 * median(samples)) / raw).toFixed(0)} %`
          const rows = `${least.toFixed(1)} – ${most.toFixed(1)}`
          return [name, median(samples).toFixed(1), rows, share]
        }),
      },
    ],
  }
}
