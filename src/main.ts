import { openSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { findModelDataProblem } from './adapters/files/model-data-problem.ts'
import { createModelDataCache } from './adapters/files/model-data.ts'
import type { ModelDataCache } from './adapters/files/model-data.ts'
import { openFileObjectStore } from './adapters/files/object-store.ts'
import { createGatewayLink } from './adapters/gateway-link/gateway-link.ts'
import type { GatewayLink } from './adapters/gateway-link/gateway-link.ts'
import { GatewayProcesses } from './adapters/gateway-processes/gateway-processes.ts'
import { loadOrCreateCredentials } from './adapters/installation/credentials.ts'
import { prepareFolders } from './adapters/installation/folders.ts'
import { acquireLock } from './adapters/installation/lock.ts'
import { reportPlatform } from './adapters/installation/platform-report.ts'
import { BUILT_IN_IMAGES, builtInImages, warmModelServer } from './adapters/process/images.ts'
import type { ModelServerProgram } from './adapters/process/images.ts'
import { createModelOptimiser } from './adapters/process/model-optimiser.ts'
import { createProcessRuntime } from './adapters/process/runtime.ts'
import type { ProcessRuntime } from './adapters/process/runtime.ts'
import { createSqliteStore } from './adapters/sqlite/store.ts'
import type { ControlDeps } from './control/deps.ts'
import { createServeObjects } from './control/serve-objects.ts'
import { createControlServer } from './control/server.ts'
import { createEndpointLoop } from './controllers/endpoint/loop.ts'
import type { EndpointEvent } from './domain/event.ts'
import { loadCredentials } from './gateway/credentials.ts'
import { writeFileAtomically } from './platform/atomic-file.ts'
import { systemClock } from './platform/clock.ts'
import { environment } from './platform/config.ts'
import { dataPathsOf } from './platform/data-paths.ts'
import type { DataPaths } from './platform/data-paths.ts'
import { listenOnSocket } from './platform/listen.ts'
import { createLog } from './platform/log.ts'
import type { Config } from './platform/options.ts'
import { packageVersion, programPath } from './platform/program.ts'
import { createVoice } from './platform/voice.ts'
import type { ObjectStore } from './ports/object-store.ts'
import type { Store } from './ports/store.ts'
import { findSecret } from './wire/find-secret.ts'
import { SigningKeyCache } from './wire/sigv4-keys.ts'

const GATEWAY_READY_MS = 15_000
// Gateways of a failed start have served nobody yet.
const TAKE_BACK_MS = 2_000
// Drain 60 s, SIGTERM 30 s: what SageMaker gives an instance, and a little.
const STOP_MS = 95_000

// A container that answers one ping and dies is caught by this; every CreateEndpoint waits for it.
const STEADY_MS = 200
// Model data that no instance uses is kept for a while, so that going back to it is quick.
const SWEEP_INTERVAL_MS = 30 * 60_000
const LAUNCHER_LOOK_MS = 500

const nowMs = (): number => systemClock.nowMs()

/** How a platform is run. */
export interface RunOptions {
  readonly config: Config
  /** Prints one JSON object per line instead of sentences. */
  readonly json: boolean
}

/** What everything else is built from. */
interface Ground {
  readonly config: Config
  readonly paths: DataPaths
  readonly version: string
  readonly startedAtMs: number
  readonly log: ReturnType<typeof createLog>
}

/** The data plane's processes and the line to them. */
interface DataPlane {
  readonly link: GatewayLink
  readonly gateways: GatewayProcesses
  readonly url: string
}

/**
 * Runs the whole platform in this process until SIGINT or SIGTERM; resolves with the exit code.
 *
 * Killed at any line it leaves nothing that the next run does not adopt or clean up.
 */
export async function runBerth({ config, json }: RunOptions): Promise<number> {
  const startedAtMs = Date.now()
  const voice = createVoice(json)
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
  await stopSignal()
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
  const { paths, log } = ground
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
  const sweep = startSweep(modelData, runtime, log)
  undo.defer(() => clearInterval(sweep))
  const control = createControlServer(
    controlDeps(ground, plane, { store, objectStore, runtime, stopping: stopping.signal }),
  )
  undo.defer(() => {
    control.close()
    control.closeAllConnections()
  })
  await listenOnSocket(control, paths.controlSocket)
  const endpoints = createEndpointLoop({
    store,
    runtime,
    gateways: link,
    clock: systemClock,
    settings: {
      startAttemptsMax: ground.config.BERTH_START_ATTEMPTS_MAX,
      steadyMs: STEADY_MS,
    },
    log: log.child({ room: 'controllers' }),
  })
  undo.defer(() => endpoints.stop())
  endpoints.start()

  // Stop accepting and drain; stop deciding; stop what was decided; close what remembers it.
  return async () => {
    stopping.abort()
    const deadline = AbortSignal.timeout(STOP_MS)
    clearInterval(sweep)
    await gateways.stop(deadline)
    await endpoints.stop()
    await runtime.stopAll(deadline)
    control.close()
    control.closeAllConnections()
    await link.close()
    await store.close()
  }
}

function keepObservations(ground: Ground, { link }: DataPlane, store: Store): void {
  link.onObservation(({ endpointName, instanceId, observed, detail }) => {
    const reason = `A gateway skips instance ${instanceId} for a second: its connections are refused.`
    const event = { atMs: nowMs(), endpointName, kind: 'instance-skipped', reason }
    keepEvent(ground, store, { ...event, inputs: { instanceId, observed, detail } })
  })
}

function startSweep(
  modelData: ModelDataCache,
  runtime: ProcessRuntime,
  log: Ground['log'],
): NodeJS.Timeout {
  return setInterval(() => {
    modelData.removeUnused(runtime.contentHashesInUse()).catch((error: unknown) => {
      log.warn({ err: error }, 'unused model data not removed')
    })
  }, SWEEP_INTERVAL_MS)
}

function createRuntime(
  ground: Ground,
  url: string,
  world: {
    readonly store: Store
    readonly modelData: ModelDataCache
    readonly isDrained: (instanceId: string) => boolean
    readonly stopping: AbortSignal
  },
): ProcessRuntime {
  const { config, paths, log } = ground
  return createProcessRuntime({
    paths,
    images: imagesOf(config),
    prepareModelData: (source, containerName, signal) =>
      world.modelData.prepare({ containerName, source }, signal),
    ...(config.BERTH_MAPPED_WEIGHTS === 'on' && {
      optimiseModel: createModelOptimiser({
        nodePath: process.execPath,
        entryPath: programPath('modelserver/compile/main'),
        modelsDirectory: paths.models,
        environment: containerEnvironment(config, paths, url),
        log: log.child({ room: 'fleet' }),
        stopping: world.stopping,
      }),
    }),
    isDrained: world.isDrained,
    recordEvent: (event) => keepEvent(ground, world.store, event),
    clock: systemClock,
    random: Math.random,
    log: log.child({ room: 'fleet' }),
    environment: containerEnvironment(config, paths, url),
    capacity: config.BERTH_CAPACITY === 'strict' ? 'strict' : 'over-commit',
    warmPool: { count: config.BERTH_WARM_POOL, ...warmModelServer(modelServerOf(config)) },
  })
}

// An event that cannot be kept (the disk is full) must not stop what it tells of.
function keepEvent({ log }: Ground, store: Store, event: EndpointEvent): void {
  store.recordEvent(event).catch((error: unknown) => {
    log.warn({ err: error, event }, 'event not kept')
  })
}

function controlDeps(
  { config, paths, version, startedAtMs, log }: Ground,
  { url, link, gateways }: DataPlane,
  world: {
    readonly store: Store
    readonly objectStore: ObjectStore
    readonly runtime: ProcessRuntime
    readonly stopping: AbortSignal
  },
): ControlDeps {
  const { store, objectStore, runtime, stopping } = world
  const installation = installationOf(config)
  const credentials = loadCredentials(paths.credentials)
  const images = imagesOf(config)
  const signatures = {
    signingKeys: new SigningKeyCache(),
    findSecret: (accessKeyId: string, sessionToken: string | undefined) =>
      findSecret(credentials, accessKeyId, sessionToken, nowMs()),
  }
  return {
    ...signatures,
    installation,
    store,
    clock: systemClock,
    isImageOffered: (image) => images(image) !== undefined,
    offeredImages: BUILT_IN_IMAGES,
    findModelDataProblem: (source) =>
      findModelDataProblem(source, { objectStore, ownHosts: ownHosts(config) }),
    describeHoldMs: config.BERTH_DESCRIBE_HOLD_MS,
    installationKey: credentials.sessionKey,
    routeObjects: createServeObjects({
      ...signatures,
      ...installation,
      objectStore,
      hostSuffixes: [config.BERTH_S3_DOMAIN],
      nowMs,
      reportBug: (error, requestId) => {
        log.error({ err: error, requestId }, 'object request failed')
      },
    }),
    fleetRuntime: runtime,
    stopping,
    describePlatform: async () =>
      reportPlatform({
        version,
        url,
        nowMs: nowMs(),
        control: { pid: process.pid, startedAtMs },
        gateways: gateways.list(),
        versionOf: (pid) =>
          link.listGateways().find((gateway) => gateway.pid === pid)?.programVersion,
        fleets: await runtime.observeFleets(),
        warmPool: runtime.observeWarmPool(),
      }),
    log: log.child({ room: 'control' }),
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process as if killed. */
function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve())
  if (environment()['npm_command'] !== undefined) onLauncherGone(resolve)
  return promise
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

function gatewayArguments(config: Config, dataDir: string): readonly string[] {
  const limits = {
    bodyBytesMax: config.BERTH_BODY_BYTES_MAX,
    bufferedBytesMax: config.BERTH_BUFFERED_BYTES_MAX,
    invocationTimeoutMs: config.BERTH_INVOCATION_TIMEOUT_MS,
    streamTimeoutMs: config.BERTH_STREAM_TIMEOUT_MS,
    waitingMax: config.BERTH_ROUTER_WAITING_MAX,
    slotsPerInstance: config.BERTH_SLOTS_PER_INSTANCE,
    objectiveMs: config.BERTH_OBJECTIVE_MS,
    shedding: config.BERTH_SHEDDING,
    connectionsMax: config.BERTH_CONNECTIONS_MAX,
    bodyTimeoutMs: config.BERTH_BODY_TIMEOUT_MS,
    headersTimeoutMs: config.BERTH_HEADERS_TIMEOUT_MS,
    idleTimeoutMs: config.BERTH_IDLE_TIMEOUT_MS,
    orphanGraceMs: config.BERTH_ORPHAN_GRACE_SECONDS * 1000,
    front: config.BERTH_FRONT,
    transport: config.BERTH_TRANSPORT,
  }
  return [
    programPath('gateway/main'),
    `--data-dir=${dataDir}`,
    '--reuse-port',
    `--limits=${JSON.stringify(limits)}`,
    `--log-level=${config.BERTH_LOG_LEVEL}`,
  ]
}

function imagesOf(config: Config): ReturnType<typeof builtInImages> {
  return builtInImages(modelServerOf(config))
}

function modelServerOf(config: Config): ModelServerProgram {
  return {
    nodePath: process.execPath,
    entryPath: programPath('modelserver/main'),
    idleExitSeconds: config.BERTH_ORPHAN_GRACE_SECONDS,
    batching: config.BERTH_BATCHING,
  }
}

/** What every container sees; never the platform's own environment or credentials. */
function containerEnvironment(
  config: Config,
  paths: DataPaths,
  url: string,
): Readonly<Record<string, string>> {
  const { PATH = '/usr/local/bin:/usr/bin:/bin' } = environment()
  return {
    PATH,
    HOME: '/tmp',
    AWS_REGION: config.BERTH_REGION,
    AWS_DEFAULT_REGION: config.BERTH_REGION,
    AWS_ENDPOINT_URL: url,
    NODE_COMPILE_CACHE: join(paths.codeCache, 'instances'),
  }
}

function installationOf(config: Config): { readonly accountId: string; readonly region: string } {
  return { accountId: config.BERTH_ACCOUNT_ID, region: config.BERTH_REGION }
}

function ownHosts(config: Config): readonly string[] {
  return [config.BERTH_HOST, config.BERTH_S3_DOMAIN, 'localhost', '127.0.0.1']
}

// A client cannot connect to the address that means all of them.
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
