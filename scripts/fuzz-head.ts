/**
 * Nightly: compares the strict head reader with node's own parser on a million generated requests.
 *
 * node scripts/fuzz-head.ts [--count N] [--seed FIRST]      exits 1 at any disagreement, with its seed
 * node scripts/fuzz-head.ts --show SEED                     prints the request of one seed
 */
import { parseArgs } from 'node:util'
import { compareReaders } from '../test/support/http-head/differential.ts'
import { generateRequest } from '../test/support/http-head/generate.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    show: { type: 'string' },
  },
})

if (values.show === undefined) await fuzz(Number(values.seed), Number(values.count))
else console.log(JSON.stringify(generateRequest(Number(values.show)).toString('latin1')))

async function fuzz(first: number, count: number): Promise<void> {
  const startedAtMs = performance.now()
  let disagreementCount = 0
  const tally = await compareReaders(seedsFrom(first, count), (seed, what) => {
    disagreementCount += 1
    console.error(`seed ${seed}: ${what}`)
  })
  const seconds = Math.round((performance.now() - startedAtMs) / 1000)
  console.log(JSON.stringify({ first, count, ...tally, disagreementCount, seconds }))
  process.exitCode = disagreementCount === 0 ? 0 : 1
}

function* seedsFrom(first: number, count: number): Generator<number> {
  for (let index = 0; index < count; index++) yield first + index
}
