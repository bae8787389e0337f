import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureColdStart } from './cold-start.ts'
import { measureDynamicBatcher } from './dynamic-batcher.ts'
import { measureGatewayHop } from './gateway-hop.ts'
import { measureGatewayMemory } from './gateway-memory.ts'
import { measureGatewayModes } from './gateway-modes.ts'
import { measureGatewayOverhead } from './gateway-overhead.ts'
import { measureGatewayStory } from './gateway-story.ts'
import { packageRoot } from './harness/berth.ts'
import { readProvenance } from './harness/machine.ts'
import { renderReport, type Section } from './harness/report.ts'
import { type BenchOptions, FULL, SMOKE } from './harness/scale.ts'
import { measureOverload } from './overload.ts'
import { measureMidSize } from './mid-size.ts'
import { measureMultiModel } from './multi-model.ts'
import { measurePlatform } from './platform.ts'
import { measureSigV4 } from './sigv4.ts'
import { measureStoreAtSize } from './store-at-size.ts'
import { measureStream } from './stream.ts'

const BENCHES = {
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
  overload: measureOverload,
  batcher: measureDynamicBatcher,
  memory: measureGatewayMemory,
  store: measureStoreAtSize,
} as const satisfies Record<string, (options: BenchOptions) => Promise<Section>>

const USAGE = `Usage: npm run bench [-- options]

  --only NAME   one of ${Object.keys(BENCHES).join(', ')}; may be repeated. Prints, writes no file
  --write       with --only: writes bench/RESULTS.md all the same; the file then says which parts were measured
  --smoke       a few seconds each, to see that everything works. Prints, writes no file
  --help        this text

Without options everything is measured in full and bench/RESULTS.md is written (about half an hour).`

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    smoke: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const unknown = values.only.filter((name) => !(name in BENCHES))

if (values.help) console.log(USAGE)
else if (unknown.length > 0) {
  console.error(`No bench ${unknown.join(', ')}.\n\n${USAGE}`)
  process.exitCode = 2
} else {
  await runBenches()
}

async function runBenches(): Promise<void> {
  const provenance = readProvenance()
  const sections: Section[] = []
  for (const [name, measure] of Object.entries(BENCHES)) {
    if (values.only.length > 0 && !values.only.includes(name)) continue
    const show = (text: string) => console.error(`${name}: ${text}`)
    sections.push(await measure({ scale: values.smoke ? SMOKE : FULL, show }))
  }
  const parts = values.only.map((name) => ` --only ${name}`).join('')
  const command = `npm run bench${parts === '' ? '' : ` --${parts}`}`
  const report = renderReport('Bench results', command, provenance, sections)
  console.log(report)
  // The file is one run: parts that were not measured in it are not in it.
  if (values.smoke || (values.only.length > 0 && !values.write)) return
  writeFileSync(join(packageRoot, 'bench', 'RESULTS.md'), report)
}
