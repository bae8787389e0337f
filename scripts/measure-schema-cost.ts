/**
 * Measures what it costs a process to know the API's shapes, one way per child process.
 *
 * Usage: node scripts/measure-schema-cost.ts     (numbers of docs/decisions/0002-shapes-from-the-sdk.md)
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'

const ROUNDS = 7
const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'berth-schema-cost-'))

/** A statement that imports one bundle of the given files, as the published package would. */
function importBundle(name: string, ...files: readonly string[]): string {
  const outfile = join(folder, `${name}.mjs`)
  const contents = files
    .map((file) => `export * from ${JSON.stringify(join(root, file))}`)
    .join('\n')
  const stdin = { contents, resolveDir: root }
  buildSync({ stdin, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' })
  return `await import(${JSON.stringify(pathToFileURL(outfile).href)})`
}

const ways: Readonly<Record<string, string>> = {
  'nothing (baseline)': '',
  'the whole client': "await import('@aws-sdk/client-sagemaker')",
  "the SDK's schemas file alone, bundled": importBundle(
    'schemas',
    'node_modules/@aws-sdk/client-sagemaker/dist-es/schemas/schemas_0.js',
  ),
  "the SDK's JSON codec alone": "await import('@smithy/core/protocols')",
  'own table, codec and constraints, bundled': importBundle(
    'own',
    'src/wire/aws-json.ts',
    'src/wire/validate.ts',
  ),
  'own table, codec and constraints, from source':
    "await import('./src/wire/aws-json.ts'); await import('./src/wire/validate.ts')",
  'any file of one line, from source': "await import('./src/wire/auth-types.ts')",
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

for (const [name, statement] of Object.entries(ways)) {
  const program = `const from = performance.now(); ${statement}; const ms = performance.now() - from; gc();
    console.log(JSON.stringify({ ms, mb: process.memoryUsage().rss / 1e6 }))`
  const runs = Array.from({ length: ROUNDS }, () => {
    const options = ['--expose-gc', '--input-type=module', '-e', program]
    const child = spawnSync(process.execPath, options, { encoding: 'utf8', cwd: root })
    return JSON.parse(child.stdout) as { ms: number; mb: number }
  })
  const ms = median(runs.map((run) => run.ms)).toFixed(0)
  const mb = median(runs.map((run) => run.mb)).toFixed(1)
  console.log(`${name}: ${ms} ms, ${mb} MB resident`)
}
rmSync(folder, { recursive: true })
