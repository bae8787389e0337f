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
import { percentile } from './harness/stats.ts'
import { makeMidSizeModel } from './models/mid-size.ts'

const NAME = 'mid-size'
const OBJECTIVE_MS = 150
const LOADS = [0.8, 1, 1.3, 2] as const
const OVERLOAD = 2
const CALM = 0.5
// Enough to keep every worker of an instance busy.
const CAPACITY_CONNECTIONS = 16

/** How many invocations are answered within the objective when more come than can be. */
export async function measureOverload(options: BenchOptions): Promise<Section> {
  const rows: (readonly string[])[] = []
  const recoveries: (readonly string[])[] = []
  for (const shedding of ['on', 'off'] as const) {
    // Read by `berth up` when it starts.
    process.env['BERTH_OBJECTIVE_MS'] = String(OBJECTIVE_MS)
    process.env['BERTH_SHEDDING'] = shedding
    const found = await measureWith(shedding, options)
    rows.push(...found.rows)
    recoveries.push(found.recovery)
  }
  delete process.env['BERTH_OBJECTIVE_MS']
  delete process.env['BERTH_SHEDDING']
  return {
    title: 'Overload: goodput within the objective',
    text: describe(),
    tables: [
      {
        columns: [
          'Shedding',
          'Load',
          'Offered/s',
          'In time/s',
          'Goodput',
          'p50',
          'p99',
          'p50 of 503',
        ],
        rows,
      },
      { columns: ['Shedding', `In time again after ${OVERLOAD}× → ${CALM}×`], rows: recoveries },
    ],
  }
}

async function measureWith(shedding: string, { scale, show }: BenchOptions) {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await deploy(berth)
  const target = { address: addressOfUrl(berth.running.url), sign: () => sign(berth) }
  const capacity = await measureCapacity(target, scale)
  show(`shedding ${shedding}: capacity ${capacity.toFixed(0)}/s`)
  const rows: (readonly string[])[] = []
  for (const load of LOADS) {
    const calls = await runOpenLoop({
      address: target.address,
      requests: await target.sign(),
      perSecond: () => load * capacity,
      durationMs: scale.warmMs + scale.measuredMs,
    })
    const row = tabulate(calls, scale, capacity)
    show(`shedding ${shedding}, ${load}×: ${row.join(' · ')}`)
    rows.push([shedding, `${load}×`, ...row])
  }
  const recovery = [shedding, await measureRecovery(target, scale, capacity)]
  return { rows, recovery }
}

interface Target {
  readonly address: ReturnType<typeof addressOfUrl>
  readonly sign: () => Promise<Buffer[]>
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
async function measureCapacity({ address, sign }: Target, scale: Scale): Promise<number> {
  using file = openRequestFile(await sign())
  const { warmMs, measuredMs } = scale
  const result = await runLoad({
    address,
    requestsPath: file.path,
    connectionCount: CAPACITY_CONNECTIONS,
    stopAfter: { kind: 'duration', warmMs, measuredMs },
  })
  return result.perSecond
}

function tabulate(calls: readonly OpenLoopCall[], scale: Scale, capacity: number): string[] {
  const measured = calls.filter(({ dueAtMs }) => dueAtMs >= scale.warmMs)
  const answered = measured.filter(({ status }) => status === 200)
  const inTime = answered.filter(isInTime)
  const refused = measured.filter(({ status }) => status === 503)
  const others = measured.length - answered.length - refused.length
  if (others > 0) throw new Error(`${others} invocations were neither answered nor refused.`)
  const seconds = scale.measuredMs / 1000
  const tookMs = answered.map((call) => call.tookMs)
  const refusedMs = refused.map((call) => call.tookMs)
  return [
    (measured.length / seconds).toFixed(0),
    (inTime.length / seconds).toFixed(0),
    `${((100 * inTime.length) / seconds / capacity).toFixed(0)} %`,
    `${percentile(tookMs, 0.5).toFixed(0)} ms`,
    `${percentile(tookMs, 0.99).toFixed(0)} ms`,
    refused.length === 0 ? '-' : `${percentile(refusedMs, 0.5).toFixed(1)} ms`,
  ]
}

/** From the fall of the load to the last invocation sent after it that was refused or late. */
async function measureRecovery({ address, sign }: Target, scale: Scale, capacity: number) {
  const fallAtMs = scale.measuredMs
  const calls = await runOpenLoop({
    address,
    requests: await sign(),
    perSecond: (elapsedMs) => (elapsedMs < fallAtMs ? OVERLOAD : CALM) * capacity,
    durationMs: 2 * fallAtMs,
  })
  const bad = calls.filter((call) => call.dueAtMs >= fallAtMs && !isInTime(call))
  const last = bad.at(-1)
  return last === undefined ? '0 ms' : `${(last.dueAtMs - fallAtMs).toFixed(0)} ms`
}

function isInTime({ status, tookMs }: OpenLoopCall): boolean {
  return status === 200 && tookMs <= OBJECTIVE_MS
}

function sign({ environment, running }: BenchBerth): Promise<Buffer[]> {
  const path = `/endpoints/${NAME}/invocations`
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  const requests = makeRows().map((row) => {
    return { method: 'POST', path, headers, body: encodeInstances(row) } as const
  })
  return signRequests(addressOfUrl(running.url), requests, {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  })
}

function describe(): string {
  return [
    `The mid-size model, JSON, one row an invocation, one instance, \`BERTH_OBJECTIVE_MS=${OBJECTIVE_MS}\`. Capacity is what a closed loop of`,
    `${CAPACITY_CONNECTIONS} connections gets, *goodput* the share of it that is answered within the objective, counted from when an invocation`,
    'was due. Arrivals are Poisson, whether or not earlier ones were answered; the generator shares the machine.',
  ].join('\n')
}
