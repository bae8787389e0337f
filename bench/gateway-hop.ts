import { join } from 'node:path'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { runFramesLoad } from './harness/frames-load.ts'
import { signInvocations } from './harness/invocations.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import { formatMs, type Section } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'

const NAME = 'mlp'
const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const DIRECT = 'worker, by frames'
const BERTH = 'Berth'
const MUST_REACH_MS = 0.25

interface Sample {
  readonly p50Us: number
  readonly p99Us: number
  readonly firstBody: string | undefined
}

/** What the gateway adds to a call of the model process, both as fast as they can be asked: one at a time. */
export async function measureGatewayHop({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await berth.registerModel(NAME, MODEL)
  await berth.createEndpoint(NAME)
  const socketPath = await berth.findWorkerSocket()
  const askBerth = async (): Promise<Sample> => {
    using file = openRequestFile(await signInvocations(berth, NAME))
    const address = addressOfUrl(berth.running.url)
    const stopAfter = { kind: 'duration', ...scale } as const
    return await runLoad({ address, requestsPath: file.path, connectionCount: 1, stopAfter })
  }
  const cases = [
    { name: DIRECT, measure: (): Promise<Sample> => runFramesLoad({ socketPath, ...scale }) },
    { name: BERTH, measure: askBerth },
  ]
  const results = await runRounds(cases, scale.roundCount, show)
  const direct = results.get(DIRECT) ?? []
  const through = results.get(BERTH) ?? []
  const bodies = new Set([...direct, ...through].map(({ firstBody }) => firstBody))
  if (bodies.size !== 1) throw new Error(`The answers differ: ${[...bodies].join(' and ')}.`)
  const added = through.map(({ p50Us }, round) => p50Us - (direct[round]?.p50Us ?? p50Us))
  return {
    title: 'Gateway: what it adds to a call by frames',
    text: `One connection, MLP 64→256→10, JSON, SigV4 on; medians of ${scale.roundCount} interleaved rounds. Target: at most ${MUST_REACH_MS} ms added, strive for 0.15 ms.`,
    tables: [
      {
        columns: ['Way', 'p50', 'range', 'p99'],
        rows: [...results].map(([name, samples]) => [
          name,
          ...cells(samples.map(({ p50Us }) => p50Us)),
          formatMs(median(samples.map(({ p99Us }) => p99Us))),
        ]),
      },
      { columns: ['Added, p50', 'range'], rows: [cells(added)] },
    ],
  }
}

function cells(us: readonly number[]): string[] {
  const [least, most] = range(us)
  return [formatMs(median(us)), `${formatMs(least)} – ${formatMs(most)}`]
}
