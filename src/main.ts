import { openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createModelDataCache } from './adapters/files/model-data.ts'
import { openFileObjectStore } from './adapters/files/object-store.ts'
import { createGatewayLink } from './adapters/gateway-link/gateway-link.ts'
import { GatewayProcesses } from './adapters/gateway-processes/gateway-processes.ts'
import { loadOrCreateCredentials } from './adapters/installation/credentials.ts'
import { prepareFolders } from './adapters/installation/folders.ts'
import { createSqliteStore } from './adapters/sqlite/store.ts'
import { createControlServer } from './control/server.ts'
import { writeFileAtomically } from './platform/atomic-file.ts'
import { systemClock } from './platform/clock.ts'
import { acquireLock } from './platform/file-lock.ts'
import { environment } from './platform/config.ts'
import { dataPathsOf } from './platform/data-paths.ts'
import { listenOnSocket } from './platform/listen.ts'
import { createLog } from './platform/log.ts'
import type { Config } from './platform/options.ts'
import { packageVersion } from './platform/program.ts'
import { listenForStop } from './platform/stop-signal.ts'
import { createVoice } from './platform/voice.ts'
import type { Voice } from './platform/voice.ts'
import {
  controlDeps,
  createCompilations,
  createEndpoints,
  createLocalCompiler,
  createModels,
  createRuntime,
  gatewayArguments,
  installationOf,
  keepObservations,
  ownHosts,
  startSweep,
  urlHost,
} from './composition.ts'
import type { DataPlane, Ground } from './composition.ts'

// Half a second on a machine that has nothing else to do.
const GATEWAY_READY_MS = 60_000
// Gateways of a failed start have served nobody yet.
const TAKE_BACK_MS = 2_000
// Drain 60 s, SIGTERM 30 s: what SageMaker gives an instance, and a little.
const STOP_MS = 95_000

const LAUNCHER_LOOK_MS = 500

const LEFT_RUNNING =
  'Left without waiting: gateways and instances may still run. The next berth up with this data directory takes them over.'

const nowMs = (): number => systemClock.nowMs()

/** How a platform is run. */
export interface RunOptions {
  readonly config: Config
  /** Prints one JSON object per line instead of sentences. */
  readonly json: boolean
}

/**
 * Runs the whole platform in this process until SIGINT or SIGTERM; resolves with the exit code.
 *
 * Killed at any line it leaves nothing that the next run does not adopt or clean up.
 */
export async function runBerth({ config, json }: RunOptions): Promise<number> {
  const startedAtMs = Date.now()
  const voice = createVoice(json)
  // Heard from the start on: what is half started must be stopped too.
  const stopAsked = stopSignal(voice)
  const paths = dataPathsOf(config.BERTH_DATA_DIR)
  prepareFolders(paths)
  using lock = acquireLock(paths.lockFile)
  if (lock === undefined) {
    voice.problem(`Another berth up uses ${paths.dataDir}. Stop it, or choose another --data-dir.`)
    return 1
  }
  const fd = openSync(join(paths.logs, 'control.log'), 'a', 0o600)
  const log = createLog({ level: config.BERTH_LOG_LEVEL, fd, process: 'control' })
  const ground = { config, paths, version: packageVersion(), startedAtMs, log }
  loadOrCreateCredentials(paths.credentials, installationOf(config))

  const { url, stop } = await startPlatform(ground)
  recordPlatform(ground, url)
  voice.ready({
    url,
    version: ground.version,
    dataDir: paths.dataDir,
    startMs: Date.now() - startedAtMs,
  })
  await stopAsked
  voice.stopping()
  await stop()
  rmSync(paths.platformRecord, { force: true })
  voice.stopped()
  return 0
}

/**
 * Starts everything, and takes it back when a part of it cannot start. What an earlier control left running stays: it
 * serves, and the next control adopts it.
 */
async function startPlatform(
  ground: Ground,
): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  await using undo = new AsyncDisposableStack()
  const plane = await startDataPlane(ground, undo)
  const stop = await startRooms(ground, plane, undo)
  await plane.gateways.ready(AbortSignal.timeout(GATEWAY_READY_MS)).catch(() => {
    const where = join(ground.paths.logs, 'gateway.log')
    throw new Error(
      `No gateway was ready within ${GATEWAY_READY_MS / 1000} s; the end of ${where} says why.`,
    )
  })
  // It stands: nothing is taken back any more.
  undo.move()
  return { url: plane.url, stop }
}

// Helps the CLI to find this platform. A full disk must not keep the platform from being watched over.
function recordPlatform({ paths, startedAtMs, version, log }: Ground, url: string): void {
  const record = { url, controlPid: process.pid, startedAtMs, version }
  try {
    writeFileAtomically(paths.platformRecord, JSON.stringify(record), 0o600)
  } catch (error) {
    log.warn({ err: error }, 'platform record not written')
  }
}

/** Gateways first: they take the longest to start and need nothing but the link. */
async function startDataPlane(
  { config, paths, log }: Ground,
  undo: AsyncDisposableStack,
): Promise<DataPlane> {
  const link = createGatewayLink({
    socketPath: paths.linkSocket,
    snapshotFile: paths.routeSnapshot,
    gatewaysDir: paths.gateways,
    clock: systemClock,
    log: log.child({ room: 'gateway-link' }),
  })
  await link.start()
  undo.defer(() => link.close())
  const gateways = new GatewayProcesses({
    paths,
    count: config.BERTH_GATEWAYS,
    host: config.BERTH_HOST,
    port: config.BERTH_PORT,
    nodeArguments: gatewayArguments(config, paths.dataDir),
    connected: () => link.listGateways(),
    onConnected: (listener) => link.onChange(listener),
    log: log.child({ room: 'gateway-processes' }),
  })
  undo.defer(() => gateways.takeBack(AbortSignal.timeout(TAKE_BACK_MS)))
  const port = await gateways.start()
  return { link, gateways, url: `http://${urlHost(config.BERTH_HOST)}:${port}` }
}

/** Builds the adapters, hands them to the rooms and starts these; resolves with what stops it all. */
async function startRooms(
  ground: Ground,
  plane: DataPlane,
  undo: AsyncDisposableStack,
): Promise<() => Promise<void>> {
  const { paths } = ground
  const { link, gateways } = plane
  const stopping = new AbortController()
  const store = createSqliteStore({ path: paths.database })
  undo.defer(() => store.close())
  const objectStore = await openFileObjectStore({ root: paths.objects, nowMs })
  // While the platform stops there is no gateway left that could have anything outstanding.
  const isDrained = (instanceId: string): boolean =>
    stopping.signal.aborted || link.isDrained(instanceId)
  const modelData = createModelDataCache({
    modelsDirectory: paths.models,
    objectStore,
    nowMs,
    ownHosts: ownHosts(ground.config),
    unpackedBytesMax: ground.config.BERTH_MODEL_BYTES_MAX,
  })
  const world = { store, modelData, isDrained, stopping: stopping.signal }
  const runtime = createRuntime(ground, plane.url, world)
  undo.defer(() => runtime.close())
  await runtime.start()
  keepObservations(ground, plane, store)
  const compiler = createLocalCompiler(ground, plane.url, { modelData, objectStore })
  undo.defer(() => compiler.close())
  const models = createModels(ground, plane, { store, runtime, compiler, modelData })
  undo.defer(() => models.stop())
  const sweep = startSweep(ground, modelData, { runtime, compiler, models })
  undo.defer(() => sweep.stop())
  const control = createControlServer(
    controlDeps(ground, plane, { ...world, objectStore, runtime, models }),
  )
  undo.defer(() => {
    control.close()
    control.closeAllConnections()
  })
  await listenOnSocket(control, paths.controlSocket)
  const endpoints = createEndpoints(ground, plane, { store, runtime })
  undo.defer(() => endpoints.stop())
  endpoints.start()
  models.start()
  const compilations = createCompilations(ground, { store, compiler })
  undo.defer(() => compilations.stop())
  compilations.start()

  // Stop accepting and drain; stop deciding; stop what was decided; close what remembers it.
  return async () => {
    stopping.abort()
    const deadline = AbortSignal.timeout(STOP_MS)
    sweep.stop()
    await gateways.stop(deadline)
    await Promise.all([endpoints.stop(), models.stop(), compilations.stop()])
    await compiler.close()
    await runtime.stopAll(deadline)
    control.close()
    control.closeAllConnections()
    await link.close()
    await store.close()
  }
}

/** Resolves when the program is asked to end. A second request, later, ends the process as if killed. */
function stopSignal(voice: Voice): Promise<void> {
  const signalled = listenForStop({
    source: process,
    nowMs,
    onImpatient: (name) => {
      voice.problem(LEFT_RUNNING)
      process.kill(process.pid, name)
    },
  })
  if (environment()['npm_command'] === undefined) return signalled
  const { promise: launcherGone, resolve } = Promise.withResolvers<void>()
  onLauncherGone(resolve)
  return Promise.race([signalled, launcherGone])
}

// npx and npm do not pass SIGTERM on: without this, ending them would leave the platform running unseen.
function onLauncherGone(listener: () => void): void {
  const launcherPid = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === launcherPid) return
    clearInterval(timer)
    listener()
  }, LAUNCHER_LOOK_MS)
  timer.unref()
}
