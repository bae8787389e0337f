import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeDataDir, packageRoot } from '../harness/berth.ts'
import { readProvenance } from '../harness/machine.ts'
import { predict } from '../harness/raw-onnx.ts'
import { renderReport } from '../harness/report.ts'
import { makeRows } from '../harness/rows.ts'
import { makeMidSizeModel } from '../models/mid-size.ts'
import { berthContestant } from './berth.ts'
import { buildBerth } from './berth-build.ts'
import type { BenchModel, Contestant, ModelName } from './contestant.ts'
import { Unavailable } from './environments.ts'
import { WARM_SECONDS } from './measure.ts'
import { renderSections } from './page.ts'
import { peerContestant } from './peer-server.ts'
import { PEERS } from './peers.ts'
import { measureRounds, RAW } from './rounds.ts'

const SMALL_MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const RESULTS = join(packageRoot, 'bench', 'RESULTS-PEERS.md')
/** Servers and wrk share these, on whatever machine. */
const CPUS = [0, 1] as const
const CHECKED_ROWS = 3
/** Berth in the middle: whoever it is compared with most closely is measured just before or after it. */
const BERTH_BEFORE = 'fastapi-2'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    models: { type: 'string', default: 'small,mid-size' },
    connections: { type: 'string', default: '1,16,64' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    ref: { type: 'string', default: 'HEAD' },
    out: { type: 'string' },
    prepare: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const USAGE = `Usage: npm run bench:peers [-- options]

  --only LIST         of ${PEERS.map(({ id }) => id).join(', ')} or the folder of several; Berth always runs
  --models LIST       small,mid-size
  --connections LIST  1,16,64
  --rounds N          3
  --seconds N         of each measurement, 4
  --ref COMMIT        which Berth is built and measured, HEAD
  --out FILE          writes the page there; without it only a complete run writes bench/RESULTS-PEERS.md
  --prepare           only makes the environments of the peers
  --help              this text

Needs wrk, taskset, Python 3.10 or newer, java, nginx and haproxy; whoever misses something is reported and left out.`

if (values.help) console.log(USAGE)
else await runPeers()

async function runPeers(): Promise<void> {
  const show = (text: string) => console.error(text)
  const { contestants, absent } = await gatherPeers(show)
  if (values.prepare) return report(absent)
  // Everything started from here on inherits it.
  execFileSync('taskset', ['-c', '-p', CPUS.join(','), String(process.pid)])
  await using build = await buildBerth(values.ref)
  insertBerth(contestants, berthContestant(build))
  await using folder = await makeDataDir()
  const models = await makeModels(folder.path)
  const startedAtMs = performance.now()
  const result = await measureRounds({
    contestants,
    models,
    connectionCounts: values.connections.split(',').map(Number),
    roundCount: Number(values.rounds),
    seconds: Number(values.seconds),
    wrkCpu: CPUS[1],
    show,
  })
  for (const [label, reason] of result.failures) absent.set(label, reason)
  const minutes = Math.round((performance.now() - startedAtMs) / 60_000)
  const sections = renderSections({
    contestants: [...contestants, RAW],
    series: result.series,
    absent,
    models: models.map(({ name }) => name),
    how: describe(minutes),
  })
  const provenance = { ...readProvenance(), commit: build.commit }
  const page = renderReport('Berth and its peers', 'npm run bench:peers', provenance, sections)
  console.log(page)
  const out = values.out ?? (isComplete() ? RESULTS : undefined)
  if (out !== undefined) writeFileSync(out, page)
}

/** Makes what is missing, one after the other, and says who cannot take part. */
async function gatherPeers(show: (text: string) => void) {
  const wanted = values.only?.split(',')
  const contestants: Contestant[] = []
  const absent = new Map<string, string>()
  for (const peer of PEERS) {
    if (wanted !== undefined && !wanted.includes(peer.id) && !wanted.includes(peer.family)) continue
    try {
      contestants.push(await peerContestant(peer, show))
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      absent.set(peer.label, error.message)
    }
  }
  return { contestants, absent }
}

function insertBerth(contestants: Contestant[], berth: Contestant): void {
  const at = contestants.findIndex(({ id }) => id === BERTH_BEFORE)
  contestants.splice(at === -1 ? contestants.length : at, 0, berth)
}

async function makeModels(folder: string): Promise<BenchModel[]> {
  const rows = makeRows(CHECKED_ROWS)
  const models: BenchModel[] = []
  for (const name of values.models.split(',')) {
    if (!isModelName(name)) throw new Error(`There is no model ${name}.`)
    const path = name === 'small' ? SMALL_MODEL : join(folder, 'mid-size.onnx')
    if (name === 'mid-size') writeFileSync(path, makeMidSizeModel())
    models.push({ name, path, expected: await predict(path, rows) })
  }
  return models
}

function isModelName(name: string): name is ModelName {
  return name === 'small' || name === 'mid-size'
}

/** Part of a result is none: half a file would be half old. */
function isComplete(): boolean {
  return (
    values.only === undefined &&
    values.models === 'small,mid-size' &&
    values.connections === '1,16,64' &&
    Number(values.rounds) >= 3
  )
}

function describe(minutes: number): string {
  const autogroup = readFileSync('/proc/sys/kernel/sched_autogroup_enabled', 'utf8').trim()
  return [
    `The same model, the same rows as JSON, wrk with one thread pinned to core ${CPUS[1]}; servers and wrk share cores`,
    `${CPUS.join(' and ')}. Medians of ${values.rounds} interleaved rounds of ${values.seconds} s after ${WARM_SECONDS} s of warming; every server is started for`,
    `its turn and must answer right first. Berth verifies SigV4 on every request, the others know no authentication.`,
    `Took ${minutes} minutes; the kernel's sched_autogroup is ${autogroup === '1' ? 'on' : 'off'}.`,
  ].join('\n')
}

function report(absent: ReadonlyMap<string, string>): void {
  for (const [label, reason] of absent) console.error(`${label}: ${reason}`)
}
