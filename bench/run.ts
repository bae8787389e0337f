import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureColdStart } from './cold-start.ts'
import { measureDynamicBatcher } from './dynamic-batcher.ts'
import { measureEnsemble } from './ensemble.ts'
import { measureGatewayHop } from './gateway-hop.ts'
import { measureGatewayMemory } from './gateway-memory.ts'
import { measureGatewayModes } from './gateway-modes.ts'
import { measureGatewayOverhead } from './gateway-overhead.ts'
import { measureGatewayStory } from './gateway-story.ts'
import { measureGraph } from './graph.ts'
import { packageRoot } from './harness/berth.ts'
import { readProvenance } from './harness/machine.ts'
import { renderReport, type Section } from './harness/report.ts'
import { type BenchOptions, FULL, SMOKE } from './harness/scale.ts'
import { measureOverload } from './overload.ts'
import { measureMidSize } from './mid-size.ts'
import { measureMultiModel } from './multi-model.ts'
import { measureManyLive } from './multi-model-live.ts'
import { measurePlatform } from './platform.ts'
import { measureProtocols } from './protocols.ts'
import { measureSeveralContainers } from './several-containers.ts'
import { measureSigV4 } from './sigv4.ts'
import { measureStoreAtSize } from './store-at-size.ts'
import { measureStream } from './stream.ts'
import { measureTenModels } from './ten-models.ts'

type Bench = (options: BenchOptions) => Promise<Section>

interface Page {
  readonly title: string
  /** In `bench/`. */
  readonly file: string
  readonly benches: Readonly<Record<string, Bench>>
}

const PLATFORM_BENCHES = {
  platform: measurePlatform,
  'cold-start': measureColdStart,
  gateway: measureGatewayOverhead,
  hop: measureGatewayHop,
  story: measureGatewayStory,
  stream: measureStream,
  modes: measureGatewayModes,
  sigv4: measureSigV4,
  'mid-size': measureMidSize,
  'multi-model': measureMultiModel,
  containers: measureSeveralContainers,
  'multi-model-live': measureManyLive,
  'ten-models': measureTenModels,
  graph: measureGraph,
  overload: measureOverload,
  memory: measureGatewayMemory,
  store: measureStoreAtSize,
} as const satisfies Record<string, Bench>

const MODEL_SERVER_BENCHES = {
  batcher: measureDynamicBatcher,
  protocols: measureProtocols,
  ensemble: measureEnsemble,
} as const satisfies Record<string, Bench>

/** A page of results is one run: parts that were not measured in it are not in it. */
const PAGES: readonly Page[] = [
  { title: 'Bench results', file: 'RESULTS.md', benches: PLATFORM_BENCHES },
  {
    title: 'Bench results of the model server',
    file: 'RESULTS-MODEL-SERVER.md',
    benches: MODEL_SERVER_BENCHES,
  },
]
const NAMES = PAGES.flatMap(({ benches }) => Object.keys(benches))

const USAGE = `Usage: npm run bench [-- options]

  --only NAME   one of ${NAMES.join(', ')}; may be repeated. Prints, writes no file
  --write       with --only: writes its page in bench/ all the same; the page then says which parts were measured
  --smoke       a few seconds each, to see that everything works. Prints, writes no file
  --help        this text

Without options everything is measured in full and ${PAGES.map(({ file }) => `bench/${file}`).join(' and ')} are written (about half an hour).`

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    smoke: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const unknown = values.only.filter((name) => !NAMES.includes(name))

if (values.help) console.log(USAGE)
else if (unknown.length > 0) {
  console.error(`No bench ${unknown.join(', ')}.\n\n${USAGE}`)
  process.exitCode = 2
} else {
  for (const page of PAGES) await runPage(page)
}

async function runPage({ title, file, benches }: Page): Promise<void> {
  const chosen = Object.entries(benches).filter(([name]) => {
    return values.only.length === 0 || values.only.includes(name)
  })
  if (chosen.length === 0) return
  const provenance = readProvenance()
  const sections: Section[] = []
  for (const [name, measure] of chosen) {
    const show = (text: string) => console.error(`${name}: ${text}`)
    sections.push(await measure({ scale: values.smoke ? SMOKE : FULL, show }))
  }
  const parts = values.only.length === 0 ? [] : chosen.map(([name]) => ` --only ${name}`)
  const command = `npm run bench${parts.length === 0 ? '' : ` --${parts.join('')}`}`
  const report = renderReport(title, command, provenance, sections)
  console.log(report)
  if (values.smoke || (values.only.length > 0 && !values.write)) return
  writeFileSync(join(packageRoot, 'bench', file), report)
}
