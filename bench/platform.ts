import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { BenchBerth, makeDataDir, packageRoot, type PlatformProcesses } from './harness/berth.ts'
import { readMemory } from './harness/memory.ts'
import { formatMib, type Section } from './harness/report.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'

const NAME = 'digits'
const MODEL = join(packageRoot, 'examples', 'digits', 'model', 'model.onnx')
/** Idle means: whatever starting left to be done is done. */
const SETTLE_MS = 3_000

/** One start on an empty data directory and what it needs at rest. */
interface Start {
  readonly readyMs: number
  readonly residentBytes: number
  readonly proportionalBytes: number | undefined
}

/** The platform itself: how fast it is there, what it takes, how fast an endpoint is in service. */
export async function measurePlatform({ scale, show }: BenchOptions): Promise<Section> {
  const starts: Start[] = []
  for (let n = 1; n <= scale.repeatCount; n++) {
    show(`start ${n} of ${scale.repeatCount}`)
    starts.push(await measureStart())
  }
  const deployedMs = await measureDeployments(scale.repeatCount, show)
  const seconds = (ms: readonly number[]) => {
    const [least, most] = range(ms)
    const text = (value: number) => `${(value / 1000).toFixed(2)} s`
    return [text(median(ms)), `${text(least)} – ${text(most)}`]
  }
  const memory = (bytes: readonly number[]) => {
    const [least, most] = range(bytes)
    return [formatMib(median(bytes)), `${formatMib(least)} – ${formatMib(most)}`]
  }
  const proportional = starts.flatMap((start) => start.proportionalBytes ?? [])
  const rows = [
    [
      '`berth up` spawned → `ready`, empty data directory',
      ...seconds(starts.map((s) => s.readyMs)),
    ],
    ['idle platform, RSS of all its processes', ...memory(starts.map((s) => s.residentBytes))],
    ...(proportional.length === starts.length
      ? [['idle platform, shared pages counted once (PSS)', ...memory(proportional)]]
      : []),
    ['CreateEndpoint → `InService`, digits model', ...seconds(deployedMs)],
  ]
  return {
    title: 'Platform',
    text: `Medians of ${scale.repeatCount}. Idle: no endpoint, ${SETTLE_MS / 1000} s after \`ready\`.`,
    tables: [{ columns: ['What', 'median', 'range'], rows }],
  }
}

async function measureStart(): Promise<Start> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await sleep(SETTLE_MS)
  const memory = readMemory(pidsOf(await berth.describePlatform()))
  return { readyMs: berth.running.readyMs, ...memory }
}

async function measureDeployments(count: number, show: BenchOptions['show']): Promise<number[]> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await berth.registerModel(NAME, MODEL)
  const deployedMs: number[] = []
  for (let n = 1; n <= count; n++) {
    show(`deployment ${n} of ${count}`)
    deployedMs.push(await berth.createEndpoint(NAME))
    await berth.deleteEndpoint(NAME)
  }
  return deployedMs
}

/** Every process of the platform: one process may have two roles. */
export function pidsOf({ control, gateways, instances }: PlatformProcesses): readonly number[] {
  return [...new Set([control, ...gateways, ...instances].map(({ pid }) => pid))]
}
