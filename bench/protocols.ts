import { makeDataDir } from './harness/berth.ts'
import { type LoadResult, openRequestFile, runGrpcLoad, runLoad } from './harness/load.ts'
import { writeRowModel } from './harness/model-repository.ts'
import { formatCount, formatMs, type Section } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import {
  encodeBinaryRow,
  encodeGrpcRow,
  encodeJsonRow,
  INFER_METHOD,
  makeTensors,
} from './harness/row-requests.ts'
import type { BenchOptions, Scale } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'
import { TritonProcess } from './harness/triton-process.ts'
import { makeMlp } from './models/mlp.ts'

const CONNECTION_COUNTS = [1, 16]
const ROUND_COUNT_MAX = 3
const OUTPUT_WIDTH = 10
const TOLERANCE = 1e-4

const MODELS = {
  small: { label: '64 floats', inputWidth: 64, width: 256, requestCount: 256 },
  image: { label: '150,528 floats', inputWidth: 3 * 224 * 224, width: 8, requestCount: 8 },
} as const

interface Way {
  readonly label: string
  readonly encode: (server: TritonProcess, model: string, row: Float32Array) => Buffer
  readonly run: typeof runLoad
  readonly addressOf: (server: TritonProcess) => TritonProcess['address']
  readonly readOutput: (body: string) => readonly number[]
}

const WAYS: readonly Way[] = [
  {
    label: 'HTTP, JSON',
    encode: ({ address }, model, row) => encodeJsonRow(address, model, row),
    run: runLoad,
    addressOf: ({ address }) => address,
    readOutput: (body) => (JSON.parse(body) as JsonAnswer).outputs[0].data,
  },
  {
    label: 'HTTP, binary tensors',
    encode: ({ address }, model, row) => encodeBinaryRow(address, model, row),
    run: runLoad,
    addressOf: ({ address }) => address,
    readOutput: readTail,
  },
  {
    label: 'gRPC, raw contents',
    encode: (_server, model, row) => encodeGrpcRow(model, row),
    run: (spec) => runGrpcLoad({ ...spec, method: INFER_METHOD }),
    addressOf: ({ grpcAddress }) => grpcAddress,
    readOutput: readTail,
  },
]

interface JsonAnswer {
  readonly outputs: readonly [{ readonly data: readonly number[] }]
}

/** The model server's protocols beside each other: the same rows to the same models. */
export async function measureProtocols({ scale, show }: BenchOptions): Promise<Section> {
  await using folder = await makeDataDir()
  for (const [name, { inputWidth, width }] of Object.entries(MODELS)) {
    const bytes = makeMlp({ inputWidth, width, layerCount: 0 })
    await writeRowModel(folder.path, name, { bytes, inputWidth, outputWidth: OUTPUT_WIDTH })
  }
  await using server = await TritonProcess.start(folder.path)
  const roundCount = Math.min(scale.roundCount, ROUND_COUNT_MAX)
  const rows: (readonly string[])[] = []
  for (const [name, { label, inputWidth, requestCount }] of Object.entries(MODELS)) {
    const tensors = makeTensors(requestCount, inputWidth)
    for (const connectionCount of CONNECTION_COUNTS) {
      const cases = WAYS.map((way) => ({
        name: `${label}, ${connectionCount}: ${way.label}`,
        measure: async () => {
          const requests = tensors.map((tensor) => way.encode(server, name, tensor))
          return askOne(way.addressOf(server), way, { requests, connectionCount, scale })
        },
      }))
      const results = [...(await runRounds(cases, roundCount, show)).values()]
      if (connectionCount === 1) refuseDifference(results.map(([first]) => first))
      for (const [index, samples] of results.entries()) {
        rows.push([label, String(connectionCount), WAYS[index]?.label ?? '', ...cells(samples)])
      }
    }
  }
  return {
    title: 'Model server: gRPC against HTTP',
    text:
      '`berth model-server`, one MLP for each size of input with 10 floats out, one instance, no batching. Clients are closed loops in one ' +
      'process of their own that sends requests encoded before: over HTTP each on its own connection by raw sockets, over gRPC as streams of one ' +
      "connection by Node's HTTP/2. *Client* is the share of one core that this process took, in the worst round, from its start: " +
      `below 1 it is not what is measured. Medians of ${roundCount} interleaved rounds; all gave the same prediction first.`,
    tables: [
      {
        columns: ['Input', 'At once', 'Protocol', 'Requests/s', 'range', 'p50', 'p99', 'Client'],
        rows,
      },
    ],
  }
}

interface Load {
  readonly requests: readonly Buffer[]
  readonly connectionCount: number
  readonly scale: Scale
}

interface Asked extends LoadResult {
  readonly output: readonly number[]
}

async function askOne(
  address: TritonProcess['address'],
  { run, readOutput }: Way,
  { requests, connectionCount, scale: { warmMs, measuredMs } }: Load,
): Promise<Asked> {
  using file = openRequestFile(requests)
  const stopAfter = { kind: 'duration', warmMs, measuredMs: measuredMs / 4 } as const
  const result = await run({ address, requestsPath: file.path, connectionCount, stopAfter })
  return { ...result, output: readOutput(result.firstBody ?? '') }
}

// In a binary answer the tensor is what comes last, in either protocol.
function readTail(body: string): readonly number[] {
  const tail = Buffer.from(body, 'latin1').subarray(-OUTPUT_WIDTH * Float32Array.BYTES_PER_ELEMENT)
  return Array.from({ length: OUTPUT_WIDTH }, (_none, index) => tail.readFloatLE(index * 4))
}

function refuseDifference(results: readonly (Asked | undefined)[]): void {
  const [first, ...others] = results.map((result) => result?.output ?? [])
  for (const other of others) {
    const isSame = first?.every((value, index) => {
      return (
        Math.abs(value - (other[index] ?? Infinity)) <= TOLERANCE * Math.max(1, Math.abs(value))
      )
    })
    if (isSame !== true)
      throw new Error(`Predictions differ: ${String(first)} and ${String(other)}`)
  }
}

function cells(samples: readonly Asked[]): readonly string[] {
  const rates = samples.map(({ perSecond }) => perSecond)
  const [least, most] = range(rates)
  return [
    formatCount(median(rates)),
    `${formatCount(least)} – ${formatCount(most)}`,
    formatMs(median(samples.map(({ p50Us }) => p50Us))),
    formatMs(median(samples.map(({ p99Us }) => p99Us))),
    Math.max(...samples.map(({ cpuShare }) => cpuShare)).toFixed(2),
  ]
}
