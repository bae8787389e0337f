import { join } from 'node:path'

import { preparePython } from '../../src/modelserver/python/environment/prepare-python.ts'

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/berth-model-python')

/** Exact, so that the committed models of the tests and examples are read by what wrote them. */
const PACKAGES = ['scikit-learn==1.7.2', 'joblib==1.5.2', 'pandas==2.3.3', 'xgboost-cpu==3.0.5']

/**
 * A Python with what the tests' models need, made once by the product's own environment manager; give it as
 * `BERTH_PYTHON` and nothing is installed while tests run.
 */
export function ensureModelPython(): Promise<string> {
  return preparePython({
    python: undefined,
    environmentsDirectory: CACHE,
    requirements: { packages: ['numpy', ...PACKAGES], file: undefined },
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
