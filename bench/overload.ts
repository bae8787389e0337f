import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir } from './harness/berth.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import { type OpenLoopCall, runOpenLoop } from './harness/open-loop.ts'
import type { Section } from './harness/report.ts'
import { signRequests } from './harness/requests.ts'
import { encodeInstances, makeRows } from './harness/rows.ts'
import type { BenchOptions, Scale } from './harness/scale.ts'
import { median, percentile, range } from './harness/stats.ts'
import { makeMidSizeModel } from './models/mid-size.ts'

const NAME = 'mid-size'
const OBJECTIVE_MS = 150
const LOADS = [0.8, 1, 1.3, 2] as const
const OVERLOAD = 2
const CALM = 0.5
// Enough to keep every worker of an instance busy.
const CAPACITY_CONNECTIONS = 16

/** How many invocations are answered within the objective when more come than can be. */
export async function measureOverload({ scale, show }: BenchOptions): Promise<Section> {
  await using without = await startTarget('off')
  await using sheds = await startTarget('on')
  const targets = [without, sheds]
  const results = new Map<string, Found[]>()
  const recoveryMs = new Map<string, number[]>()
  for (let round = 0; round < scale.roundCount; round += 1) {
    const inTurn = round % 2 === 0 ? targets : targets.toReversed()
    for (const load of LOADS) {
      for (const target of inTurn) {
        const name = nameOf(target.shedding, load)
        // Anew each time: what the machine has left for us drifts, and goodput is a share of it.
        const capacity = await measureCapacity(without, scale)
        const found = await measureLoad(target, load * capacity, scale)
        const after = await measureCapacity(without, scale)
        const goodput = found.inTimePerSecond / capacity
        addTo(results, name, { ...found, goodput, drift: after / capacity })
        const machine = `${capacity.toFixed(0)}/s, ${after.toFixed(0)}/s afterwards`
        show(
          `${name}: ${formatShare(goodput)} of ${machine}, ${formatShare(found.refused)} refused`,
        )
      }
    }
    const capacity = await measureCapacity(without, scale)
    for (const target of inTurn) {
      addTo(recoveryMs, target.shedding, await measureRecovery(target, scale, capacity))
    }
  }
  return {
    title: 'Overload: goodput within the objective',
    text: describe(scale.roundCount),
    tables: [
      {
        columns: [
          'Shedding',
          'Load',
          'Goodput',
          'range',
          'p50',
          'p99',
          'Refused',
          'p50 of 503',
          'Capacity after ÷ before',
        ],
        rows: targets.flatMap(({ shedding }) =>
          LOADS.map((load) => row(shedding, load, results.get(nameOf(shedding, load)) ?? [])),
        ),
      },
      {
        columns: ['Shedding', `In time again after ${OVERLOAD}× → ${CALM}×`],
        rows: [...recoveryMs].map(([shedding, tookMs]) => [shedding, formatTime(median(tookMs))]),
      },
    ],
  }
}

/** A Berth with the model, and how to ask it. */
interface Target extends AsyncDisposable {
  readonly shedding: string
  readonly address: ReturnType<typeof addressOfUrl>
  /** Signed now: good for minutes only. */
  readonly requests: () => Promise<Buffer[]>
}

/** What one round of one load brought. */
interface Found {
  readonly inTimePerSecond: number
  /** Share of capacity. */
  readonly goodput: number
  /** Capacity right after, as a share of that before: well below 1, the machine was taken away and the load was a higher one. */
  readonly drift: number
  /** Of what was answered. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Share of what was offered. */
  readonly refused: number
  /** How soon it was told so; NaN if nothing was refused. */
  readonly refusedMs: number
}

async function startTarget(shedding: string): Promise<Target> {
  const dataDir = await makeDataDir()
  // Read by `berth up` when it starts.
  process.env['BERTH_OBJECTIVE_MS'] = String(OBJECTIVE_MS)
  process.env['BERTH_SHEDDING'] = shedding
  const berth = await BenchBerth.start(dataDir.path)
  delete process.env['BERTH_OBJECTIVE_MS']
  delete process.env['BERTH_SHEDDING']
  await deploy(berth)
  return {
    shedding,
    address: addressOfUrl(berth.running.url),
    requests: () => sign(berth),
    async [Symbol.asyncDispose]() {
      await berth[Symbol.asyncDispose]()
      await dataDir[Symbol.asyncDispose]()
    },
  }
}

async function deploy(berth: BenchBerth): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-model-'))
  try {
    const path = join(folder, 'model.onnx')
    await writeFile(path, makeMidSizeModel())
    await berth.registerModel(NAME, path)
  } finally {
    await rm(folder, { recursive: true })
  }
  await berth.createEndpoint(NAME)
}

/** In a closed loop, which never overloads. */
async function measureCapacity(target: Target, { warmMs, measuredMs }: Scale): Promise<number> {
  using file = openRequestFile(await target.requests())
  const result = await runLoad({
    address: target.address,
    requestsPath: file.path,
    connectionCount: CAPACITY_CONNECTIONS,
    stopAfter: { kind: 'duration', warmMs, measuredMs: measuredMs / 2 },
  })
  return result.perSecond
}

async function measureLoad(target: Target, perSecond: number, scale: Scale) {
  const { warmMs, measuredMs } = scale
  const calls = await runOpenLoop({
    address: target.address,
    requests: await target.requests(),
    perSecond: () => perSecond,
    durationMs: warmMs + measuredMs,
  })
  const measured = calls.filter(({ dueAtMs }) => dueAtMs >= warmMs)
  const answered = measured.filter(({ status }) => status === 200)
  const refused = measured.filter(({ status }) => status === 503)
  const others = measured.length - answered.length - refused.length
  if (others > 0) throw new Error(`${others} invocations were neither answered nor refused.`)
  const times = (list: readonly OpenLoopCall[]) => list.map(({ tookMs }) => tookMs)
  return {
    inTimePerSecond: answered.filter(isInTime).length / (measuredMs / 1000),
    p50Ms: percentile(times(answered), 0.5),
    p99Ms: percentile(times(answered), 0.99),
    refused: refused.length / measured.length,
    refusedMs: percentile(times(refused), 0.5),
  }
}

/** From the fall of the load to the last invocation sent after it that was refused or late. */
async function measureRecovery(target: Target, scale: Scale, capacity: number): Promise<number> {
  const fallAtMs = scale.measuredMs
  const calls = await runOpenLoop({
    address: target.address,
    requests: await target.requests(),
    perSecond: (elapsedMs) => (elapsedMs < fallAtMs ? OVERLOAD : CALM) * capacity,
    durationMs: 2 * fallAtMs,
  })
  const bad = calls.filter((call) => call.dueAtMs >= fallAtMs && !isInTime(call))
  return Math.max(0, (bad.at(-1)?.dueAtMs ?? 0) - fallAtMs)
}

function isInTime({ status, tookMs }: OpenLoopCall): boolean {
  return status === 200 && tookMs <= OBJECTIVE_MS
}

function sign({ environment, running }: BenchBerth): Promise<Buffer[]> {
  const path = `/endpoints/${NAME}/invocations`
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  const requests = makeRows().map((values) => {
    return { method: 'POST', path, headers, body: encodeInstances(values) } as const
  })
  return signRequests(addressOfUrl(running.url), requests, {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
}

function row(shedding: string, load: number, rounds: readonly Found[]): readonly string[] {
  const middle = (pick: (found: Found) => number) => median(rounds.map(pick))
  const [least, most] = range(rounds.map(({ goodput }) => goodput))
  const refusing = rounds.filter(({ refused }) => refused > 0)
  const refusedMs = median(refusing.map((found) => found.refusedMs))
  const [driftLeast, driftMost] = range(rounds.map(({ drift }) => drift))
  return [
    shedding,
    `${load}×`,
    formatShare(middle(({ goodput }) => goodput)),
    `${formatShare(least)} – ${formatShare(most)}`,
    formatTime(middle(({ p50Ms }) => p50Ms)),
    formatTime(middle(({ p99Ms }) => p99Ms)),
    formatShare(middle(({ refused }) => refused)),
    // A call is sent up to a millisecond before it is due.
    refusing.length === 0 ? '-' : `${Math.max(0, refusedMs).toFixed(1)} ms`,
    `${formatShare(driftLeast)} – ${formatShare(driftMost)}`,
  ]
}

function addTo<T>(lists: Map<string, T[]>, name: string, value: T): void {
  lists.set(name, [...(lists.get(name) ?? []), value])
}

function nameOf(shedding: string, load: number): string {
  return `shedding ${shedding}, ${load}×`
}

function formatShare(share: number): string {
  return `${(100 * share).toFixed(0)} %`
}

function formatTime(tookMs: number): string {
  return `${tookMs.toFixed(0)} ms`
}

function describe(roundCount: number): string {
  return [
    `The mid-size model, JSON, one row an invocation, one instance, \`BERTH_OBJECTIVE_MS=${OBJECTIVE_MS}\`. *Goodput* is what is answered`,
    'within the objective, counted from when an invocation was due, as a share of what a closed loop of',
    `${CAPACITY_CONNECTIONS} connections had just got; the last column says whether the machine still gave that afterwards. Arrivals are Poisson, whether or not earlier ones were answered; the generator shares the`,
    `machine. Medians of ${roundCount} interleaved rounds; p50 and p99 are of what was answered.`,
  ].join('\n')
}
