import { addressOfUrl } from './harness/address.ts'
import { BenchBerth, makeDataDir } from './harness/berth.ts'
import { signInvocations } from './harness/invocations.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import {
  askTarget,
  createManyEndpoint,
  signTargets,
  uploadTargets,
  SMALL_MODEL,
  writeSmallModel,
} from './harness/many-models.ts'
import { formatMs, type Section, type Table } from './harness/report.ts'
import { runRounds } from './harness/rounds.ts'
import { ROW_COUNT } from './harness/rows.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, percentile } from './harness/stats.ts'

const COLD_COUNT = 300
const EVICTED_COUNT = 20
const EVICTED_ROUNDS = 10
// Less than the program itself takes: every load evicts.
const LEAST_MEMORY_BYTES = String(8 * 1024 ** 2)

/** What a target model costs over a plain endpoint, and what loading one takes. */
export async function measureMultiModel({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  const coldCount = Math.min(COLD_COUNT, scale.registeredCount)
  show(`uploading ${coldCount} models`)
  const model = writeSmallModel(dataDir.path)
  await uploadTargets(berth, model, coldCount)
  await createManyEndpoint(berth, 'many')
  show('cold loads from the object store')
  const cold = await measureCold(berth, coldCount)
  await berth.registerModel('one', model)
  await berth.createEndpoint('one')
  const hits = await measureHits(berth, { scale, show })
  await createManyEndpoint(berth, 'tight', { BERTH_MODEL_MEMORY_BYTES: LEAST_MEMORY_BYTES })
  show('cold loads from the disk')
  const evicted = await measureEvicted(berth)
  return {
    title: 'Many models behind one endpoint',
    text:
      `${SMALL_MODEL} under ${coldCount} names on one instance, JSON, SigV4 on, callers on the same cores. Hits: one connection, ` +
      `medians of ${scale.roundCount} interleaved rounds. Cold: one call at a time, from its first byte to its answer.`,
    tables: [
      hits,
      {
        columns: ['First answer of a cold model', 'calls', 'p50', 'p99'],
        rows: [
          coldRow('from the object store', cold),
          coldRow('from the disk, after an eviction', evicted),
        ],
      },
    ],
  }
}

function coldRow(name: string, samples: readonly number[]): string[] {
  const ms = (share: number): string => formatMs(percentile(samples, share) * 1000)
  return [name, String(samples.length), ms(0.5), ms(0.99)]
}

async function measureCold(berth: BenchBerth, count: number): Promise<readonly number[]> {
  const samples: number[] = []
  for (let number = 0; number < count; number += 1) {
    samples.push(await askTarget(berth, 'many', number))
  }
  return samples
}

/** Models that take each other's place: the archives have been fetched in the first round, which is not counted. */
async function measureEvicted(berth: BenchBerth): Promise<readonly number[]> {
  const samples: number[] = []
  for (let round = 0; round <= EVICTED_ROUNDS; round += 1) {
    for (let number = 0; number < EVICTED_COUNT; number += 1) {
      const ms = await askTarget(berth, 'tight', number)
      if (round > 0) samples.push(ms)
    }
  }
  return samples
}

async function measureHits(berth: BenchBerth, { scale, show }: BenchOptions): Promise<Table> {
  const first = Array.from({ length: ROW_COUNT }, () => 0)
  const requestsOf = {
    'endpoint of one model': () => signInvocations(berth, 'one'),
    'target model that is loaded': () => signTargets(berth, 'many', first),
  }
  const cases = Object.entries(requestsOf).map(([name, sign]) => ({
    name,
    measure: async () => {
      using file = openRequestFile(await sign())
      return await runLoad({
        address: addressOfUrl(berth.running.url),
        requestsPath: file.path,
        connectionCount: 1,
        stopAfter: { kind: 'duration', ...scale },
      })
    },
  }))
  const results = await runRounds(cases, scale.roundCount, show)
  const rows = [...results].map(([name, samples]) => [
    name,
    formatMs(median(samples.map(({ p50Us }) => p50Us))),
    formatMs(median(samples.map(({ p99Us }) => p99Us))),
  ])
  return { columns: ['Hit', 'p50', 'p99'], rows }
}
