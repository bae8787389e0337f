import { formatCount, formatMs, type Section, type Table } from '../harness/report.ts'
import { median, range } from '../harness/stats.ts'
import type { Contestant, ModelName } from './contestant.ts'
import type { Sample } from './measure.ts'
import { judge, type Series, type Verdict } from './verdicts.ts'

/** What the whole page is made of. */
export interface Outcome {
  readonly contestants: readonly Pick<Contestant, 'id' | 'label' | 'settings'>[]
  readonly series: readonly Series[]
  /** Why somebody is missing, by label. */
  readonly absent: ReadonlyMap<string, string>
  /** Foreign load above this makes a sample doubtful. */
  readonly models: readonly ModelName[]
  readonly how: string
}

export function renderSections(outcome: Outcome): readonly Section[] {
  const labels = new Map(outcome.contestants.map(({ id, label }) => [id, label]))
  const label = (id: string) => labels.get(id) ?? id
  return [
    {
      title: 'Targets',
      text: `${outcome.how}\n\nRatio: Berth ÷ peer, of medians; range: round by round.`,
      tables: [tabulateVerdicts(judge(outcome.series), label)],
    },
    ...outcome.models.map((model) => ({
      title: model === 'small' ? 'Small model' : 'Mid-size model',
      text: describeModel(model),
      tables: [
        tabulateSeries(
          outcome.series.filter((one) => one.model === model),
          label,
        ),
      ],
    })),
    {
      title: 'Settings',
      text: 'Server files and start scripts: `bench/peers/servers/`.',
      tables: [tabulateSettings(outcome)],
    },
    ...describeAbsent(outcome.absent),
  ]
}

function tabulateVerdicts(verdicts: readonly Verdict[], label: (id: string) => string): Table {
  const rows = verdicts.map(({ target, ratio, ratioRange, verdict }) => {
    const sign = target.measure === 'perSecond' ? '≥' : '≤'
    const bound = (value: number) => `${sign} ${value}`
    const [least, most] = ratioRange
    return [
      target.what,
      label(target.against),
      bound(target.mustReach),
      bound(target.striveFor),
      ratio.toFixed(2),
      `${least.toFixed(2)} – ${most.toFixed(2)}`,
      verdict === 'strive' ? '**pass**, strived for' : verdict === 'pass' ? '**pass**' : '**miss**',
    ]
  })
  return {
    columns: ['What', 'Against', 'Must reach', 'Strive for', 'Ratio', 'range', 'Verdict'],
    rows,
  }
}

function tabulateSeries(all: readonly Series[], label: (id: string) => string): Table {
  const berthPerSecond = (connectionCount: number) => {
    const found = all.find(
      (one) => one.contestantId === 'berth' && one.connectionCount === connectionCount,
    )
    return found === undefined ? undefined : median(measured(found).map((s) => s.perSecond))
  }
  const rows = all.toSorted(byLoadThenSpeed).flatMap((one) => {
    const samples = measured(one)
    return samples.length === 0
      ? []
      : [row(one, samples, { label, berth: berthPerSecond(one.connectionCount) })]
  })
  return {
    columns: [
      'Connections',
      'Server',
      'Requests/s',
      'range',
      'Berth ÷ it',
      'p50',
      'p99',
      'failed',
      'foreign CPU',
    ],
    rows,
  }
}

function row(
  { contestantId, connectionCount }: Series,
  samples: readonly Sample[],
  { label, berth }: { label: (id: string) => string; berth: number | undefined },
): string[] {
  const middle = (pick: (sample: Sample) => number) => median(samples.map(pick))
  const [least, most] = range(samples.map(({ perSecond }) => perSecond))
  const perSecond = middle((sample) => sample.perSecond)
  const latency = (us: number) => (Number.isNaN(us) ? '–' : formatMs(us))
  return [
    String(connectionCount),
    label(contestantId),
    formatCount(perSecond),
    `${formatCount(least)} – ${formatCount(most)}`,
    berth === undefined || contestantId === 'berth' ? '–' : (berth / perSecond).toFixed(2),
    latency(middle(({ p50Us }) => p50Us)),
    latency(middle(({ p99Us }) => p99Us)),
    formatCount(samples.reduce((total, { failedCount }) => total + failedCount, 0)),
    `${Math.round(100 * Math.max(...samples.map(({ foreignShare }) => foreignShare)))} %`,
  ]
}

function byLoadThenSpeed(one: Series, other: Series): number {
  const speed = (series: Series) => median(measured(series).map(({ perSecond }) => perSecond))
  return one.connectionCount - other.connectionCount || speed(other) - speed(one)
}

function measured({ samples }: Series): readonly Sample[] {
  return samples.filter((sample) => sample !== undefined)
}

function tabulateSettings({ contestants, models }: Outcome): Table {
  return {
    columns: ['Server', ...models.map((model) => `Settings, ${model} model`)],
    rows: contestants.map(({ label, settings }) => [label, ...models.map(settings)]),
  }
}

function describeModel(model: ModelName): string {
  const what =
    model === 'small'
      ? 'MLP 64→256→10 (`bench/models/make_mlp.py`): nearly all of the cost is moving bytes.'
      : 'Convolutions between 64 values in and 10 out (`bench/models/mid-size.ts`): nearly all of the cost is arithmetic. *Raw* is ONNX Runtime alone in a Node process: two threads with a session each in a loop, the better of batch 1 and batch 8.'
  return `${what} *Foreign CPU* is the largest share of the machine in any round that neither server nor wrk used.`
}

function describeAbsent(absent: ReadonlyMap<string, string>): readonly Section[] {
  if (absent.size === 0) return []
  const rows = [...absent].map(([label, reason]) => [label, reason.replaceAll(/\s+/g, ' ')])
  return [
    {
      title: 'Not measured',
      text: 'Could not be installed or did not answer on this machine.',
      tables: [{ columns: ['Server', 'Reason'], rows }],
    },
  ]
}
