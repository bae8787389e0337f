import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createProcessRuntime } from '../../src/adapters/process/runtime.ts'
import type { ProcessRuntime } from '../../src/adapters/process/runtime.ts'
import type { ProcessRuntimeOptions } from '../../src/adapters/process/settings.ts'
import type { EndpointEvent } from '../../src/domain/event.ts'
import { PING_POLICY } from '../../src/domain/health.ts'
import type { ObservedInstance } from '../../src/domain/fleet.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { dataPathsOf } from '../../src/platform/data-paths.ts'
import type { DataPaths } from '../../src/platform/data-paths.ts'
import { silentLog } from '../../src/platform/log.ts'
import { findProcess } from '../../src/platform/process-identity.ts'
import type { FleetRuntimeHarness } from '../contracts/fleet-runtime.ts'

const CONTAINER = fileURLToPath(new URL('../fixtures/container.ts', import.meta.url))
const IMAGE = 'test/container'

/** The process runtime over a temporary data directory. */
export interface ProcessHarness extends FleetRuntimeHarness {
  readonly runtime: ProcessRuntime
  replaceRuntime(): Promise<ProcessRuntime>
  readonly paths: DataPaths
  readonly events: readonly EndpointEvent[]
}

/** Opens a runtime whose timing suits tests: quick health pings once ready, short stops and delays. */
export async function openProcessHarness(
  changes: Partial<ProcessRuntimeOptions> = {},
): Promise<ProcessHarness> {
  const paths = dataPathsOf(await mkdtemp(join(tmpdir(), 'berth-fleet-')))
  const events: EndpointEvent[] = []
  let isHeld = false
  let passedMs = 0
  const { limits, ...otherChanges } = changes
  const options: ProcessRuntimeOptions = {
    paths,
    images: (image) =>
      image === IMAGE
        ? {
            command: process.execPath,
            permanentExitCodes: [22],
            argumentsOf: ({ socketPath, modelDirectory, workerCount }) => [
              CONTAINER,
              socketPath,
              modelDirectory,
              String(workerCount),
            ],
          }
        : undefined,
    prepareModelData: () => Promise.reject(new Error('this test has no model data')),
    isDrained: () => !isHeld,
    recordEvent: (event) => events.push(event),
    clock: { ...systemClock, nowMs: () => systemClock.nowMs() + passedMs },
    random: Math.random,
    log: silentLog,
    environment: { PATH: process.env.PATH ?? '', AWS_REGION: 'us-east-1' },
    limits: {
      terminateMsMax: 1_000,
      adoptedPollMs: 50,
      backOff: { freeCount: 1, firstDelayMs: 200, delayMsMax: 1_000 },
      ping: { ...PING_POLICY, readyIntervalMs: 100 },
      pingTimeoutMs: 10_000,
      ...limits,
    },
    ...otherChanges,
  }
  const opened: ProcessRuntime[] = []
  const open = async (): Promise<ProcessRuntime> => {
    const runtime = createProcessRuntime(options)
    opened.push(runtime)
    await runtime.start()
    return runtime
  }
  return {
    runtime: await open(),
    image: IMAGE,
    paths,
    events,
    holdInstances: () => (isHeld = true),
    releaseInstances: () => (isHeld = false),
    passTime: (durationMs) => (passedMs += durationMs),
    kill: ({ pid }) => process.kill(pid ?? Number.NaN, 'SIGKILL'),
    isAlive: ({ pid }) => pid !== undefined && findProcess(pid) !== undefined,
    invoke,
    replaceRuntime: async () => {
      await opened.at(-1)?.close()
      return open()
    },
    async [Symbol.asyncDispose]() {
      isHeld = false
      // What is told to stop is killed after `terminateMsMax`, unless the test has changed that.
      await opened.at(-1)?.stopAll(AbortSignal.timeout(30_000))
      await rm(paths.run, { recursive: true, force: true })
      await rm(paths.dataDir, { recursive: true, force: true })
    },
  }
}

async function invoke({ address }: ObservedInstance, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socketPath = address?.kind === 'socket' ? address.path : ''
  const asking = request({ socketPath, path, method: 'POST', agent: false }, (reply) => {
    text(reply).then(resolve, reject)
  })
  asking.on('error', reject)
  asking.end()
  return promise
}
