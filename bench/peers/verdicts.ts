import { median, range } from '../harness/stats.ts'
import type { ModelName } from './contestant.ts'
import type { Sample } from './measure.ts'

/** All samples of one contestant at one load; `samples[n]` is of round n. */
export interface Series {
  readonly contestantId: string
  readonly model: ModelName
  readonly connectionCount: number
  readonly samples: readonly (Sample | undefined)[]
}

/** One line of the table. */
export interface Target {
  readonly what: string
  readonly against: string
  readonly model: ModelName
  readonly connectionCount: number
  readonly measure: 'perSecond' | 'p50Us'
  /** Berth ÷ the other: at least this for throughput, at most this for latency. */
  readonly mustReach: number
  readonly striveFor: number
}

export interface Verdict {
  readonly target: Target
  /** Median of Berth ÷ median of the other. */
  readonly ratio: number
  /** The ratio round by round, least and most. */
  readonly ratioRange: readonly [number, number]
  readonly verdict: 'strive' | 'pass' | 'miss'
}

const small = { model: 'small', connectionCount: 64, measure: 'perSecond' } as const
const sixTimes = { ...small, what: 'small model, 64 connections', mustReach: 6, striveFor: 12 }

export const TARGETS: readonly Target[] = [
  {
    ...small,
    what: 'small model, 64 connections',
    against: 'fastapi-1',
    mustReach: 4,
    striveFor: 6,
  },
  {
    ...small,
    what: 'small model, 64 connections',
    against: 'fastapi-2',
    mustReach: 2.2,
    striveFor: 3.3,
  },
  {
    ...small,
    what: 'small model, 64 connections',
    against: 'triton',
    mustReach: 1.4,
    striveFor: 2,
  },
  ...['litserve', 'bentoml', 'mlserver', 'kserve', 'ray'].map((against) => ({
    ...sixTimes,
    against,
  })),
  { ...small, what: 'small model, 64 connections', against: 'nginx-1', mustReach: 4, striveFor: 6 },
  { ...small, what: 'small model, 64 connections', against: 'nginx-2', mustReach: 4, striveFor: 6 },
  {
    what: 'small model, 1 connection, p50',
    against: 'fastapi-1',
    model: 'small',
    connectionCount: 1,
    measure: 'p50Us',
    mustReach: 1.2,
    striveFor: 0.9,
  },
  {
    what: 'mid-size model, 16 connections, share of raw ONNX Runtime',
    against: 'raw',
    model: 'mid-size',
    connectionCount: 16,
    measure: 'perSecond',
    mustReach: 0.85,
    striveFor: 0.95,
  },
]

/** @returns a verdict for every target that was measured on both sides. */
export function judge(series: readonly Series[]): readonly Verdict[] {
  const find = (id: string, { model, connectionCount }: Target) =>
    series.find(
      (one) =>
        one.contestantId === id && one.model === model && one.connectionCount === connectionCount,
    )?.samples
  return TARGETS.flatMap((target) => {
    const berth = find('berth', target)
    const other = find(target.against, target)
    if (berth === undefined || other === undefined) return []
    return judgeOne(target, berth, other) ?? []
  })
}

function judgeOne(
  target: Target,
  berth: Series['samples'],
  other: Series['samples'],
): Verdict | undefined {
  const pairs = berth.flatMap((sample, round) => {
    const peer = other[round]
    return sample === undefined || peer === undefined
      ? []
      : [[sample[target.measure], peer[target.measure]] as const]
  })
  if (pairs.length === 0) return undefined
  const ratio = median(pairs.map(([ours]) => ours)) / median(pairs.map(([, theirs]) => theirs))
  const reaches = (bound: number) =>
    target.measure === 'perSecond' ? ratio >= bound : ratio <= bound
  return {
    target,
    ratio,
    ratioRange: range(pairs.map(([ours, theirs]) => ours / theirs)),
    verdict: reaches(target.striveFor) ? 'strive' : reaches(target.mustReach) ? 'pass' : 'miss',
  }
}
