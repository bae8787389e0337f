import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { preparePython } from '../../src/modelserver/python/environment/prepare-python.ts'
import type { Requirements } from '../../src/modelserver/python/environment/requirements.ts'

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/berth-model-python')
const SDK_REQUIREMENTS = join(import.meta.dirname, '../integration/sdk/requirements.txt')

/** Exact, so that the committed models of the tests and examples are read by what wrote them. */
const PACKAGES = [
  'scikit-learn==1.7.2',
  'joblib==1.5.2',
  'pandas==2.3.3',
  'xgboost-cpu==3.0.5',
  'lightgbm==4.7.0',
]

/**
 * A Python with what the tests' models need, made once by the product's own environment manager; give it as
 * `BERTH_PYTHON` and nothing is installed while tests run.
 */
export function ensureModelPython(): Promise<string> {
  return prepare(undefined, { packages: ['numpy', ...PACKAGES], file: undefined })
}

/** {@link ensureModelPython} with the SageMaker SDK beside it. */
export async function ensureSdkPython(): Promise<string> {
  const text = await readFile(SDK_REQUIREMENTS, 'utf8')
  const file = { path: SDK_REQUIREMENTS, name: 'test/integration/sdk/requirements.txt', text }
  return prepare(await ensureModelPython(), { packages: [], file })
}

/** {@link ensureModelPython} with what an example asks for beside it: the path of its requirements. */
export async function ensureExamplePython(path: string): Promise<string> {
  const file = { path, name: path, text: await readFile(path, 'utf8') }
  return prepare(await ensureModelPython(), { packages: [], file })
}

function prepare(python: string | undefined, requirements: Requirements): Promise<string> {
  return preparePython({
    python,
    environmentsDirectory: CACHE,
    requirements,
    installerEnvironment: { ...definedEnvironment() },
    log: (_level, event, fields) => process.stderr.write(`${event} ${JSON.stringify(fields)}\n`),
    onProgress: () => undefined,
    signal: AbortSignal.timeout(600_000),
  })
}

function definedEnvironment(): Readonly<Record<string, string>> {
  const entries = Object.entries(process.env)
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
