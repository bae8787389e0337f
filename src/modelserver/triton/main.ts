/**
 * The model server: serves Triton model repositories over the Open Inference Protocol.
 *
 * A process of its own, started by `berth model-server` with the flags of `tritonserver`.
 */
import { openSync, writeSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { environment } from '../../platform/config.ts'
import { StartFailure } from '../start-failure.ts'
import type { SharedResources } from './create-runner.ts'
import { describeFlags } from './describe-flags.ts'
import { FrontEnds } from './front-ends.ts'
import { InferenceServer } from './inference-server.ts'
import { LogSettings } from './log-settings.ts'
import { ModelRepository } from './model-repository.ts'
import { NodeBackend } from './node/node-backend.ts'
import { OnnxBackend } from './onnx/onnx-backend.ts'
import { parseTritonOptions } from './options.ts'
import type { TritonOptions } from './options.ts'
import { PythonBackend } from './python/python-backend.ts'
import { RateLimiter, UNLIMITED } from './rate-limiter.ts'
import { createConfigReader } from './read-config.ts'
import { ResponseCache } from './response-cache.ts'
import { SharedRegions } from './shared-memory/shared-regions.ts'
import { loadAtStart, pollForever } from './start-models.ts'
import { Tracing } from './trace/tracing.ts'
import type { Log } from '../log.ts'
import { toRemovalLimits } from '../python/environment/plan.ts'
import { removeUnused } from '../python/environment/remove-unused.ts'

// Source: tritonserver ends with 1 whenever it cannot start.
const CANNOT_START = 1
const DEFAULT_PYTHON = 'python3'

// Whoever reads the output may be killed before us; that must not end a server that serves.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined)
const flags = process.argv.slice(2)
try {
  if (flags.includes('--help')) process.stdout.write(describeFlags())
  else await serve(parseTritonOptions(flags))
} catch (error) {
  const stack = error instanceof Error ? error.stack : undefined
  const words = error instanceof StartFailure ? error.message : (stack ?? String(error))
  process.stderr.write(`${words}\n`)
  process.exit(CANNOT_START)
}

function createShared({
  cacheBytes,
  resourceSizes,
  runAheadUsMax,
}: TritonOptions): SharedResources {
  return {
    turns: resourceSizes === undefined ? UNLIMITED : new RateLimiter(resourceSizes),
    cache: cacheBytes > 0 ? new ResponseCache(cacheBytes) : undefined,
    runAheadUsMax,
  }
}

function createNodeBackend(
  { backends }: TritonOptions,
  variables: ReturnType<typeof environment>,
): NodeBackend {
  const packagesDirectory = join(homedir(), '.cache', 'berth', 'node')
  return new NodeBackend({ limits: backends.node, packagesDirectory, environment: variables })
}

async function serve(options: TritonOptions): Promise<void> {
  const logSettings = new LogSettings(options.log)
  const log = logSettings.createLog(openOutput(options.log.log_file), Date.now)
  const variables = environment()
  const named = variables['BERTH_PYTHON'] ?? DEFAULT_PYTHON
  const python = new PythonBackend({
    limits: options.backends.python,
    // As for `berth up`: the default is looked for, another is taken with its own packages.
    python: named === DEFAULT_PYTHON ? undefined : named,
    environmentsDirectory: pythonEnvironments(),
    environment: variables,
    models: {
      find: (name, version) => repository.find(name, version),
      isReady: (name, version) => server.isModelReady(name, version),
      load: (name, override) => server.load('', name, override),
      unload: (name, withDependents) => server.unload('', name, withDependents),
    },
  })
  const node = createNodeBackend(options, variables)
  const repository = new ModelRepository({
    repositories: options.repositories,
    backends: { onnxruntime: new OnnxBackend(), python, node },
    readConfig: createConfigReader({ ...options, ...options.backends }),
    shared: createShared(options),
    log,
  })
  const { metrics } = python
  const server: InferenceServer = new InferenceServer({ ...options, repository, metrics })
  const tracing = new Tracing(options.trace, log)
  const regions = new SharedRegions(options.sharesMemory)
  const fronts = new FrontEnds({ server, regions, tracing, options, logSettings, log })
  const stopping = new AbortController()
  const stop = (): void => {
    if (stopping.signal.aborted) return
    stopping.abort()
    void end()
  }
  const end = async (): Promise<void> => {
    log('info', 'model server draining')
    setTimeout(() => {
      process.stderr.write('Exit timeout expired. Exiting immediately.\n')
      process.exit(CANNOT_START)
    }, options.exitTimeoutMs).unref()
    server.becomeExiting()
    python.close()
    node.close()
    await repository.close()
    await fronts.close()
    await tracing.close()
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  await fronts.listen()
  await loadAtStart(repository, options, log)
  server.becomeReady()
  log('info', 'model server ready', { pid: process.pid })
  startChores(repository, options, log, stopping.signal)
}

/** What goes on beside serving. */
function startChores(
  repository: ModelRepository,
  options: TritonOptions,
  log: Log,
  signal: AbortSignal,
): void {
  sweepEnvironments(options, log)
  if (options.controlMode === 'poll') void pollForever(repository, options.pollMs, log, signal)
}

function sweepEnvironments({ backends }: TritonOptions, log: Log): void {
  removeUnused({
    environmentsDirectory: pythonEnvironments(),
    limits: toRemovalLimits(backends.unusedEnvironmentDays, 0),
    nowMs: Date.now(),
    log,
  }).catch((error: unknown) => {
    log('warn', 'unused python environments not removed', { reason: String(error) })
  })
}

function pythonEnvironments(): string {
  return join(homedir(), '.cache', 'berth', 'python')
}

/** Where the log goes. @throws StartFailure `badOptions`: the file cannot be opened. */
function openOutput(path: string): (line: string) => void {
  if (path === '') return (line) => process.stdout.write(line)
  try {
    const descriptor = openSync(path, 'a')
    return (line) => void writeSync(descriptor, line)
  } catch (error) {
    throw new StartFailure('badOptions', `--log-file=${path}: ${String(error)}`)
  }
}
