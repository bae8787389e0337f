import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { preparePython } from '../../src/modelserver/python/environment/prepare-python.ts'

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/berth-model-python')
/** The clients as their project publishes them. */
const PACKAGES = ['tritonclient[http,grpc]==2.73.0', 'numpy']

/** A Python with `tritonclient`, made once. */
export function ensureTritonClient(): Promise<string> {
  return preparePython({
    python: undefined,
    environmentsDirectory: CACHE,
    requirements: { packages: PACKAGES, file: undefined },
    installerEnvironment: Object.fromEntries(
      Object.entries(process.env).flatMap(([name, value]) => {
        return value === undefined ? [] : [[name, value]]
      }),
    ),
    log: () => undefined,
    onProgress: () => undefined,
    signal: AbortSignal.timeout(600_000),
  })
}

/** Runs a script of `test/fixtures/tritonclient/`; it prints one JSON value. @throws Error with what it complained of. */
export async function runTritonClient(
  python: string,
  script: string,
  args: readonly string[],
): Promise<unknown> {
  const path = join(import.meta.dirname, '../fixtures/tritonclient', script)
  const { stdout } = await promisify(execFile)(python, [path, ...args], { timeout: 120_000 })
  return JSON.parse(stdout)
}
