import { seededRandom } from '../test/support/simulated-time.ts'
import { createZipf } from '../test/support/zipf.ts'
import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir } from './harness/berth.ts'
import {
  askTarget,
  createManyEndpoint,
  readInstances,
  signTargets,
  uploadTargets,
  writeSmallModel,
  SMALL_MODEL,
} from './harness/many-models.ts'
import { runOpenLoop } from './harness/open-loop.ts'
import { formatCount, formatMib, formatMs, type Section } from './harness/report.ts'
import type { BenchOptions } from './harness/scale.ts'
import { percentile } from './harness/stats.ts'

const LIVE_SHARE = 0.1
const ZIPF = 0.9
const SEED = 99_991
const PER_SECOND = 300
const REQUEST_COUNT = 3_000
const HTTP_OK = 200
const NAME = 'many'

/** A tenth of very many registered models loaded on one instance: memory, load time, and traffic meanwhile. */
export async function measureManyLive({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  const { registeredCount } = scale
  const liveCount = Math.round(LIVE_SHARE * registeredCount)
  show(`uploading ${registeredCount} models`)
  await uploadTargets(berth, writeSmallModel(dataDir.path), registeredCount)
  await createManyEndpoint(berth, NAME)
  await askTarget(berth, NAME, 0)
  const before = await readInstances(berth)
  show(`loading ${liveCount} models`)
  const loads: number[] = []
  for (let index = 1; index < liveCount; index += 1) {
    loads.push(await askTarget(berth, NAME, numberOf(index)))
  }
  const after = await readInstances(berth)
  const traffic = new Traffic(berth, liveCount, scale.roundCount * scale.measuredMs)
  show('traffic to loaded models')
  const quiet = await traffic.run()
  show('traffic while other models are loaded')
  const { result: busy, loads: others } = await whileLoading(berth, liveCount, () => traffic.run())
  const perModelBytes = (after.proportionalBytes - before.proportionalBytes) / (liveCount - 1)
  const ms = (samples: readonly number[], share: number): string =>
    formatMs(percentile(samples, share) * 1000)
  return {
    title: 'A thousand models live, ten thousand registered',
    text:
      `${SMALL_MODEL} under ${formatCount(registeredCount)} names below one prefix, ${formatCount(liveCount)} of them loaded on one ` +
      `instance, one call at a time. Then ${PER_SECOND} calls a second, Poisson, to those, Zipf ${ZIPF}; at last the same while others are ` +
      `loaded, one after the other. JSON, SigV4 on, callers on the same cores; latency from when a call was due.`,
    tables: [
      {
        columns: ['Models loaded', 'PSS of the instance', 'for each', 'first answer p50', 'p99'],
        rows: [
          [
            formatCount(liveCount),
            formatMib(after.proportionalBytes),
            `${(perModelBytes / 1024).toFixed(0)} KiB`,
            ms(loads, 0.5),
            ms(loads, 0.99),
          ],
        ],
      },
      {
        columns: ['Traffic', 'calls', 'p50', 'p99', 'loads meanwhile'],
        rows: [
          ['to loaded models', String(quiet.length), ms(quiet, 0.5), ms(quiet, 0.99), '0'],
          [
            'while others are loaded',
            String(busy.length),
            ms(busy, 0.5),
            ms(busy, 0.99),
            String(others.length),
          ],
        ],
      },
    ],
  }
}

// Spread over all that are registered.
function numberOf(index: number): number {
  return Math.round(index / LIVE_SHARE)
}

/** Calls to the models that are loaded, the first ones most often. */
class Traffic {
  readonly #berth: BenchBerth
  readonly #durationMs: number
  readonly #drawIndex: () => number

  constructor(berth: BenchBerth, liveCount: number, durationMs: number) {
    this.#berth = berth
    this.#durationMs = durationMs
    this.#drawIndex = createZipf(liveCount, ZIPF, seededRandom(SEED))
  }

  /** @returns how long each call took. @throws Error when one was not answered well. */
  async run(): Promise<readonly number[]> {
    const numbers = Array.from({ length: REQUEST_COUNT }, () => numberOf(this.#drawIndex()))
    const calls = await runOpenLoop({
      address: addressOfUrl(this.#berth.running.url),
      requests: await signTargets(this.#berth, NAME, numbers),
      perSecond: () => PER_SECOND,
      durationMs: this.#durationMs,
    })
    const failed = calls.filter(({ status }) => status !== HTTP_OK)
    if (failed.length > 0) throw new Error(`${failed.length} calls failed: ${failed[0]?.status}.`)
    return calls.map(({ tookMs }) => tookMs)
  }
}

/** Loads models that were not asked for before, one after the other, until the work is done. */
async function whileLoading<T>(
  berth: BenchBerth,
  liveCount: number,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly loads: readonly number[] }> {
  const loads: number[] = []
  let isOver = false
  const loading = async (): Promise<void> => {
    for (let index = 0; !isOver && index < liveCount; index += 1) {
      loads.push(await askTarget(berth, NAME, numberOf(index) + 1))
    }
  }
  const [result] = await Promise.all([work().finally(() => (isOver = true)), loading()])
  return { result, loads }
}
