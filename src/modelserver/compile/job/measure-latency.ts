import type { Session } from '../../onnx/session.ts'
import type { Sample } from '../compare-sessions.ts'

const RUNS_MAX = 50
const RUNS_MIN = 5
const MEASURE_MS_MAX = 2_000

/** Median time of one run on one thread, for inputs of a number of rows. */
export interface Latency {
  readonly rows: number
  readonly beforeMs: number
  readonly afterMs: number
}

/** Two forms of one model. */
export interface BeforeAndAfter {
  readonly before: Session
  readonly after: Session
}

/** Measures both forms in turns, so that what else the machine does meets both; one measurement for each number of rows. */
export async function measureLatencies(
  sessions: BeforeAndAfter,
  samples: readonly Sample[],
): Promise<readonly Latency[]> {
  const sampleByRows = new Map(samples.map((sample) => [rowsOf(sample), sample]))
  const latencies: Latency[] = []
  for (const [rows, sample] of [...sampleByRows].toSorted(([a], [b]) => a - b)) {
    latencies.push({ rows, ...(await measure(sessions, sample)) })
  }
  return latencies
}

async function measure(
  { before, after }: BeforeAndAfter,
  sample: Sample,
): Promise<{ readonly beforeMs: number; readonly afterMs: number }> {
  const timesBefore: number[] = []
  const timesAfter: number[] = []
  const startedAtMs = performance.now()
  const isEnough = (run: number): boolean =>
    run >= RUNS_MAX || (run >= RUNS_MIN && performance.now() - startedAtMs > MEASURE_MS_MAX)
  for (let run = 0; !isEnough(run); run += 1) {
    timesBefore.push(await timeRun(before, sample))
    timesAfter.push(await timeRun(after, sample))
  }
  return { beforeMs: medianOf(timesBefore), afterMs: medianOf(timesAfter) }
}

async function timeRun(session: Session, { inputs }: Sample): Promise<number> {
  const startedAtMs = performance.now()
  await session.run(inputs)
  return performance.now() - startedAtMs
}

function rowsOf({ inputs }: Sample): number {
  return inputs[0]?.dims[0] ?? 1
}

function medianOf(times: readonly number[]): number {
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
  return Number(median.toFixed(4))
}
