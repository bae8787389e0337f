import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureTritonClient } from '../test/support/triton-client.ts'
import { hostHeader } from './harness/address.ts'
import { makeDataDir } from './harness/berth.ts'
import { type ChainStep, type LoadResult, openRequestFile, runLoad } from './harness/load.ts'
import { writeChain, writeRowModel } from './harness/model-repository.ts'
import { formatCount, formatMs, type Section } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import { binaryStep, bytesOf, makeTensors } from './harness/row-requests.ts'
import type { BenchOptions, Scale } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { TritonProcess } from './harness/triton-process.ts'
import { makeMlp } from './models/mlp.ts'

const CONNECTION_COUNTS = [1, 16, 64]
const ROUND_COUNT_MAX = 3
const REQUEST_COUNT = 256
const WIDTH = 64
const STEPS = ['first', 'second', 'third']
const ENSEMBLE = 'chain'

/** A row through three small models: by one call of an ensemble, and by a client that calls each. */
export async function measureEnsemble({ scale, show }: BenchOptions): Promise<Section> {
  await using folder = await makeDataDir()
  await writeModels(folder.path)
  await using server = await TritonProcess.start(folder.path)
  const stepsOf = (models: readonly string[]) => {
    return models.map((model) => binaryStep(server.address, model, WIDTH))
  }
  const ways = { ensemble: stepsOf([ENSEMBLE]), 'three calls': stepsOf(STEPS) }
  const roundCount = Math.min(scale.roundCount, ROUND_COUNT_MAX)
  const rows: (readonly string[])[] = []
  for (const connectionCount of CONNECTION_COUNTS) {
    const cases = Object.entries(ways).map(([name, steps]) => ({
      name: `${connectionCount}: ${name}`,
      measure: () => ask(server, steps, connectionCount, scale),
    }))
    const [ensemble = [], calls = []] = (await runRounds(cases, roundCount, show)).values()
    rows.push([String(connectionCount), ...compare(ensemble, calls)])
  }
  show("1: Triton's client")
  const own = await askWithClient(server)
  return {
    title: 'Ensemble: one call against three',
    text:
      `\`berth model-server\` over HTTP with three models (MLP ${WIDTH}→256→${WIDTH}, two instances each as Triton has them by default, \`dynamic_batching\`) one after the other: as an ` +
      'ensemble, and called one by one by a client that hands the tensor of each answer to the next. Binary tensors; the client is a raw ' +
      'socket in its own process on the same cores and does nothing but copy the tensor, which is the least that a call can cost a client. ' +
      `A request is a row through all three. Medians of ${roundCount} interleaved rounds. The second table: \`tritonclient\` in Python over HTTP, ` +
      'one request at a time, in blocks that alternate.',
    tables: [
      {
        columns: [
          'Connections',
          'Ensemble/s',
          'range',
          'Three calls/s',
          'range',
          'Gain',
          'Ensemble p50',
          'Three calls p50',
          'Gain',
        ],
        rows,
      },
      {
        columns: ['`tritonclient`: ensemble p50', 'Three calls p50', 'Gain'],
        rows: [
          [
            formatMs(own.ensembleUs),
            formatMs(own.callsUs),
            `${(own.callsUs / own.ensembleUs).toFixed(2)}×`,
          ],
        ],
      },
    ],
  }
}

async function writeModels(repository: string): Promise<void> {
  const bytes = makeMlp({ width: 256, layerCount: 0, outputWidth: WIDTH })
  const model = { bytes, inputWidth: WIDTH, outputWidth: WIDTH, settings: 'dynamic_batching { }' }
  for (const name of STEPS) await writeRowModel(repository, name, model)
  await writeChain(repository, ENSEMBLE, { models: STEPS, width: WIDTH })
}

interface ClientMedians {
  readonly ensembleUs: number
  readonly callsUs: number
}

async function askWithClient({ address }: TritonProcess): Promise<ClientMedians> {
  const python = await ensureTritonClient()
  const script = join(import.meta.dirname, 'harness/client-chain.py')
  const args = [script, hostHeader(address), ENSEMBLE, ...STEPS]
  const { stdout } = await promisify(execFile)(python, args)
  return JSON.parse(stdout) as ClientMedians
}

function compare(ensemble: readonly LoadResult[], calls: readonly LoadResult[]): readonly string[] {
  const rateOf = (results: readonly LoadResult[]) => results.map(({ perSecond }) => perSecond)
  const p50Of = (results: readonly LoadResult[]) => median(results.map(({ p50Us }) => p50Us))
  const rates = [ensemble, calls].flatMap((results) => {
    const [least, most] = range(rateOf(results))
    return [formatCount(median(rateOf(results))), `${formatCount(least)} – ${formatCount(most)}`]
  })
  const rateGain = median(rateOf(ensemble)) / median(rateOf(calls))
  const latencyGain = p50Of(calls) / p50Of(ensemble)
  return [
    ...rates,
    `${rateGain.toFixed(2)}×`,
    formatMs(p50Of(ensemble)),
    formatMs(p50Of(calls)),
    `${latencyGain.toFixed(2)}×`,
  ]
}

async function ask(
  { address }: TritonProcess,
  steps: readonly ChainStep[],
  connectionCount: number,
  { warmMs, measuredMs }: Scale,
): Promise<LoadResult> {
  using file = openRequestFile(makeTensors(REQUEST_COUNT, WIDTH).map(bytesOf))
  const stopAfter = { kind: 'duration', warmMs, measuredMs: measuredMs / 4 } as const
  return await runLoad({ address, requestsPath: file.path, connectionCount, stopAfter, steps })
}
