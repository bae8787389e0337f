import { availableParallelism } from 'node:os'
import { measureRawOnnx } from '../harness/raw-onnx.ts'
import type { BenchModel, Contestant, ModelName } from './contestant.ts'
import { awaitRightAnswers, ForeignUsage, measureLoad, type Sample } from './measure.ts'
import type { Series } from './verdicts.ts'

export const RAW = {
  id: 'raw',
  label: 'Raw ONNX Runtime',
  settings: (model: ModelName) => (model === 'small' ? '–' : 'two threads, one session each'),
}
const RAW_BATCH_SIZES = [1, 8]

export interface RoundsOptions {
  readonly contestants: readonly Contestant[]
  readonly models: readonly BenchModel[]
  readonly connectionCounts: readonly number[]
  readonly roundCount: number
  readonly seconds: number
  readonly wrkCpu: number
  readonly show: (text: string) => void
}

export interface RoundsResult {
  readonly series: readonly Series[]
  /** Contestants that failed, by label, with what they said. */
  readonly failures: ReadonlyMap<string, string>
}

/**
 * Measures every contestant once a round, the other way round in every second round.
 *
 * Each is started for its turn and stopped after it: an idle peer is not idle (Ray alone keeps a tenth of a core busy), and
 * the machine must be the one that is measured's.
 */
export async function measureRounds(options: RoundsOptions): Promise<RoundsResult> {
  const series = new SeriesBook(options.roundCount)
  const failures = new Map<string, string>()
  for (const turn of planTurns(options)) {
    const name = `round ${turn.round + 1} of ${options.roundCount}, ${turn.model.name} model`
    options.show(`${name}: ${turn.contestant?.label ?? RAW.label}`)
    try {
      for await (const [id, connectionCount, sample] of takeTurn(turn, options)) {
        options.show(`  ${connectionCount} connections: ${Math.round(sample.perSecond)}/s`)
        series.write({ contestantId: id, model: turn.model.name, connectionCount }, turn, sample)
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      options.show(reason)
      failures.set(`${turn.contestant?.label ?? RAW.label}, ${name}`, reason)
    }
  }
  return { series: series.all(), failures }
}

/** One server with one model in one round; without a contestant it is ONNX Runtime's own turn. */
interface Turn {
  readonly round: number
  readonly model: BenchModel
  readonly contestant: Contestant | undefined
}

function planTurns({ contestants, models, roundCount }: RoundsOptions): Turn[] {
  return Array.from({ length: roundCount }, (_, round) => round).flatMap((round) =>
    models.flatMap((model) => {
      // Of the small model the raw speed is thirty times anybody's.
      const all = model.name === 'small' ? contestants : [undefined, ...contestants]
      const turns = all.map((contestant) => ({ round, model, contestant }))
      return round % 2 === 0 ? turns : turns.toReversed()
    }),
  )
}

async function* takeTurn({ contestant, model }: Turn, options: RoundsOptions) {
  const { connectionCounts, seconds, wrkCpu } = options
  if (contestant === undefined) {
    const sample = await measureRaw(model, seconds)
    for (const connectionCount of connectionCounts) yield [RAW.id, connectionCount, sample] as const
    return
  }
  await using server = await contestant.start(model)
  await awaitRightAnswers(server, model)
  for (const connectionCount of connectionCounts) {
    const sample = await measureLoad(server, { connectionCount, seconds, wrkCpu })
    yield [contestant.id, connectionCount, sample] as const
  }
}

async function measureRaw(model: BenchModel, seconds: number): Promise<Sample> {
  const perSecond: number[] = []
  const usage = new ForeignUsage(() => 0)
  for (const batchSize of RAW_BATCH_SIZES) {
    const spec = { modelPath: model.path, threadCount: availableParallelism(), batchSize, seconds }
    perSecond.push(await measureRawOnnx(spec))
  }
  return {
    perSecond: Math.max(...perSecond),
    p50Us: Number.NaN,
    p99Us: Number.NaN,
    failedCount: 0,
    foreignShare: usage.readShare(),
  }
}

/** Collects samples into series. */
class SeriesBook {
  readonly #roundCount: number
  readonly #samples = new Map<string, (Sample | undefined)[]>()
  readonly #series: Series[] = []

  constructor(roundCount: number) {
    this.#roundCount = roundCount
  }

  write(place: Omit<Series, 'samples'>, { round }: Pick<Turn, 'round'>, sample: Sample): void {
    const key = `${place.model} ${place.connectionCount} ${place.contestantId}`
    let samples = this.#samples.get(key)
    if (samples === undefined) {
      samples = Array.from<Sample | undefined>({ length: this.#roundCount })
      this.#samples.set(key, samples)
      this.#series.push({ ...place, samples })
    }
    samples[round] = sample
  }

  all(): readonly Series[] {
    return this.#series
  }
}
