/**
 * `npm run generated:check`: the committed tables of `src/wire/generated` are what their scripts make of the pinned
 * botocore, SDK and tritonclient, byte for byte.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { ensureTritonClient } from '../test/support/triton-client.ts'
import { ensurePythonEnvironment } from './python-env.ts'

const ROOT = join(import.meta.dirname, '..')
const COMMITTED = join(ROOT, 'src/wire/generated')

const python = await ensurePythonEnvironment()
if ('skipped' in python) {
  process.stdout.write(`generated tables not compared: ${python.skipped}\n`)
} else {
  const made = mkdtempSync(join(tmpdir(), 'berth-generated-'))
  execFileSync(python.python, [join(ROOT, 'scripts/extract-constraints.py'), made])
  execFileSync(process.execPath, [join(ROOT, 'scripts/extract-schemas.ts'), made])
  const withTriton = await ensureTritonClient()
  execFileSync(withTriton, [join(ROOT, 'scripts/extract-model-config.py'), made])
  const different = readdirSync(COMMITTED).filter(
    (file) =>
      readFileSync(join(COMMITTED, file), 'utf8') !== readFileSync(join(made, file), 'utf8'),
  )
  rmSync(made, { recursive: true })
  if (different.length > 0) {
    process.stderr.write(`Not as generated: ${different.join(', ')}. Run the scripts again.\n`)
    process.exitCode = 1
  }
}
