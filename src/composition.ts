/*
 * What `main.ts` builds from adapters and rooms, piece by piece: beside it, the only file that knows everything.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findModelDataProblem } from './adapters/files/model-data-problem.ts'
import type { ModelDataCache } from './adapters/files/model-data.ts'
import { createModelDisk } from './adapters/files/model-disk.ts'
import { createCompiler } from './adapters/compiler/compiler.ts'
import type { LocalCompiler } from './adapters/compiler/compiler.ts'
import type { GatewayLink } from './adapters/gateway-link/gateway-link.ts'
import type { GatewayProcesses } from './adapters/gateway-processes/gateway-processes.ts'
import { reportPlatform } from './adapters/installation/platform-report.ts'
import { builtInImages, warmModelServer } from './adapters/process/images.ts'
import type { ModelServerProgram } from './adapters/process/images.ts'
import { createModelOptimiser } from './adapters/process/model-optimiser.ts'
import { createProcessRuntime } from './adapters/process/runtime.ts'
import type { ProcessRuntime } from './adapters/process/runtime.ts'
import { thisMachine } from './adapters/process/settings.ts'
import { BUILT_IN_IMAGES } from './domain/built-in-images.ts'
import type { ControlDeps } from './control/deps.ts'
import { createServeObjects } from './control/serve-objects.ts'
import { createCompilationLoop } from './controllers/compilation/loop.ts'
import type { CompilationLoop } from './controllers/compilation/loop.ts'
import { readNodeCounters } from './adapters/graph-statistics/read-node-counters.ts'
import { createModelContainer } from './adapters/model-container/model-container.ts'
import { createModelLoop } from './controllers/models/loop.ts'
import type { ModelLoop } from './controllers/models/loop.ts'
import { createEndpointLoop } from './controllers/endpoint/loop.ts'
import type { EndpointLoop } from './controllers/endpoint/loop.ts'
import type { EndpointEvent } from './domain/event.ts'
import { loadCredentials } from './gateway/credentials.ts'
import { systemClock } from './platform/clock.ts'
import { environment } from './platform/config.ts'
import type { DataPaths } from './platform/data-paths.ts'
import type { createLog } from './platform/log.ts'
import { OPTIONS } from './platform/options.ts'
import type { Config } from './platform/options.ts'
import { measureProportionalBytes } from './platform/process-memory.ts'
import { programPath } from './platform/program.ts'
import type { ObjectStore } from './ports/object-store.ts'
import type { Store } from './ports/store.ts'
import { findSecret } from './wire/find-secret.ts'
import { SigningKeyCache } from './wire/sigv4-keys.ts'
import { toRemovalLimits } from './modelserver/python/environment/plan.ts'
import { removeUnused } from './modelserver/python/environment/remove-unused.ts'

// A container that answers one ping and dies is caught by this; every CreateEndpoint waits for it.
const STEADY_MS = 200
// Model data that no instance uses is kept for a while, so that going back to it is quick.
const SWEEP_INTERVAL_MS = 30 * 60_000
const ENVIRONMENT_SWEEP_INTERVAL_MS = 60 * 60_000

// An orderly stop counts too: a job longer than the time between five of them will not end.
const COMPILATION_ATTEMPTS_MAX = 5

const nowMs = (): number => systemClock.nowMs()

/** What everything else is built from. */
export interface Ground {
  readonly config: Config
  readonly paths: DataPaths
  readonly version: string
  readonly startedAtMs: number
  readonly log: ReturnType<typeof createLog>
}

/** The data plane's processes and the line to them. */
export interface DataPlane {
  readonly link: GatewayLink
  readonly gateways: GatewayProcesses
  readonly url: string
}

/** Keeps what gateways notice about instances as events. */
export function keepObservations(ground: Ground, { link }: DataPlane, store: Store): void {
  link.onObservation(({ endpointName, instanceId, observed, detail }) => {
    const reason = `A gateway skips instance ${instanceId} for a second: its connections are refused.`
    const event = { atMs: nowMs(), endpointName, kind: 'instance-skipped', reason }
    keepEvent(ground, store, { ...event, inputs: { instanceId, observed, detail } })
  })
}

/** Removes model data and Python environments that nothing uses, now and then. */
export function startSweep(
  ground: Ground,
  modelData: ModelDataCache,
  {
    runtime,
    compiler,
    models,
  }: {
    readonly runtime: ProcessRuntime
    readonly compiler: LocalCompiler
    readonly models: ModelLoop
  },
): { readonly stop: () => void } {
  const timer = setInterval(() => {
    const others = [...compiler.contentHashesInUse(), ...models.contentHashesInUse()]
    const inUse = [...runtime.contentHashesInUse(), ...others]
    modelData.removeUnused(new Set(inUse)).catch((error: unknown) => {
      ground.log.warn({ err: error }, 'unused model data not removed')
    })
  }, SWEEP_INTERVAL_MS)
  removeEnvironments(ground)
  const environmentTimer = setInterval(
    () => removeEnvironments(ground),
    ENVIRONMENT_SWEEP_INTERVAL_MS,
  )
  return {
    stop: () => {
      clearInterval(timer)
      clearInterval(environmentTimer)
    },
  }
}

function removeEnvironments({ config, paths, log }: Ground): void {
  removeUnused({
    environmentsDirectory: paths.pythonEnvironments,
    limits: toRemovalLimits(config.BERTH_PYTHON_UNUSED_DAYS, config.BERTH_PYTHON_MEGABYTES_MAX),
    nowMs: Date.now(),
    log: (level, event, fields = {}) => log[level](fields, event),
  }).catch((error: unknown) => log.warn({ err: error }, 'unused python environments not removed'))
}

/** The endpoint controller, not started. */
export function createEndpoints(
  { config, log }: Ground,
  { link }: DataPlane,
  world: { readonly store: Store; readonly runtime: ProcessRuntime },
): EndpointLoop {
  return createEndpointLoop({
    ...world,
    gateways: link,
    clock: systemClock,
    settings: { startAttemptsMax: config.BERTH_START_ATTEMPTS_MAX, steadyMs: STEADY_MS },
    log: log.child({ room: 'controllers' }),
  })
}

/** What owns the models of multi-model endpoints, not started. */
export function createModels(
  { config, log }: Ground,
  { link }: DataPlane,
  world: {
    readonly store: Store
    readonly runtime: ProcessRuntime
    readonly compiler: LocalCompiler
    readonly modelData: ModelDataCache
  },
): ModelLoop {
  const { store, runtime, compiler, modelData } = world
  return createModelLoop({
    store,
    runtime,
    link,
    container: createModelContainer(),
    disk: createModelDisk(modelData, () => [
      ...runtime.contentHashesInUse(),
      ...compiler.contentHashesInUse(),
    ]),
    diskBytesMax: config.BERTH_MODEL_DISK_BYTES,
    measureBytes: measureProportionalBytes,
    machine: thisMachine(),
    clock: systemClock,
    nowMs: () => performance.now(),
    log: log.child({ room: 'controllers' }),
  })
}

/** What compiles models on this machine. */
export function createLocalCompiler(
  { config, paths, log }: Ground,
  url: string,
  world: { readonly modelData: ModelDataCache; readonly objectStore: ObjectStore },
): LocalCompiler {
  return createCompiler({
    directory: paths.compilations,
    nodePath: process.execPath,
    entryPath: programPath('modelserver/compile/job/main'),
    environment: containerEnvironment(config, paths, url),
    prepareModelData: (source, signal) =>
      world.modelData.prepare({ containerName: 'compilation', source }, signal),
    objectStore: world.objectStore,
    log: log.child({ room: 'compiler' }),
  })
}

/** The compilation controller, not started. */
export function createCompilations(
  { config, log }: Ground,
  world: { readonly store: Store; readonly compiler: LocalCompiler },
): CompilationLoop {
  return createCompilationLoop({
    ...world,
    clock: systemClock,
    settings: {
      jobsMax: config.BERTH_COMPILATION_JOBS_MAX,
      attemptsMax: COMPILATION_ATTEMPTS_MAX,
      machineArch: process.arch === 'arm64' ? 'ARM64' : 'X86_64',
    },
    log: log.child({ room: 'controllers' }),
  })
}

/** The process runtime with everything that it takes from the rest. */
export function createRuntime(
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
    images: imagesOf(config, paths),
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
    warmPool: { count: config.BERTH_WARM_POOL, ...warmModelServer(modelServerOf(config, paths)) },
  })
}

// An event that cannot be kept (the disk is full) must not stop what it tells of.
function keepEvent({ log }: Ground, store: Store, event: EndpointEvent): void {
  store.recordEvent(event).catch((error: unknown) => {
    log.warn({ err: error, event }, 'event not kept')
  })
}

function describePlatform(
  { version, startedAtMs }: Pick<Ground, 'version' | 'startedAtMs'>,
  { url, link, gateways }: DataPlane,
  runtime: ProcessRuntime,
): ControlDeps['describePlatform'] {
  return async () =>
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
    })
}

function readModelFile(modelData: ModelDataCache): ControlDeps['readModelFile'] {
  return async (source, name, signal) => {
    const { directory } = await modelData.prepare({ containerName: 'graph', source }, signal)
    return readFile(join(directory, name), 'utf8').catch(() => undefined)
  }
}

/** What the control server takes from the rest. */
export function controlDeps(
  { config, paths, version, startedAtMs, log }: Ground,
  { url, link, gateways }: DataPlane,
  world: {
    readonly store: Store
    readonly objectStore: ObjectStore
    readonly runtime: ProcessRuntime
    readonly models: ModelLoop
    readonly modelData: ModelDataCache
    readonly stopping: AbortSignal
  },
): ControlDeps {
  const { store, objectStore, runtime, models, modelData, stopping } = world
  const installation = installationOf(config)
  const credentials = loadCredentials(paths.credentials)
  const images = imagesOf(config, paths)
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
    readModelFile: readModelFile(modelData),
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
    describeModels: (endpointName) => models.describe(endpointName),
    readNodeCounters,
    countInvocations: (endpointName) => link.variantCounters(endpointName),
    stopping,
    describePlatform: describePlatform({ version, startedAtMs }, { url, link, gateways }, runtime),
    log: log.child({ room: 'control' }),
  }
}

// V8 begins with one, so that under load every hundredth invocation collects garbage, and what is outstanding at that moment
// is copied, twice, and then into the old generation: 15 % of a gateway's processor time, threads of the collector included.
const GATEWAY_YOUNG_MIB = 8

/** Arguments for Node that start a gateway, its limits included. */
export function gatewayArguments(config: Config, dataDir: string): readonly string[] {
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
    polling: config.BERTH_POLLING,
  }
  return [
    `--min-semi-space-size=${GATEWAY_YOUNG_MIB}`,
    programPath('gateway/main'),
    `--data-dir=${dataDir}`,
    '--reuse-port',
    `--limits=${JSON.stringify(limits)}`,
    `--log-level=${config.BERTH_LOG_LEVEL}`,
  ]
}

function imagesOf(config: Config, paths: DataPaths): ReturnType<typeof builtInImages> {
  return builtInImages(modelServerOf(config, paths))
}

function modelServerOf(config: Config, paths: DataPaths): ModelServerProgram {
  return {
    nodePath: process.execPath,
    entryPath: programPath('modelserver/main'),
    idleExitSeconds: config.BERTH_ORPHAN_GRACE_SECONDS,
    batching: config.BERTH_BATCHING,
    nodePackagesDirectory: paths.nodePackages,
    credentialsFile: paths.credentials,
    python: {
      executable:
        config.BERTH_PYTHON === OPTIONS.BERTH_PYTHON.default ? undefined : config.BERTH_PYTHON,
      environmentsDirectory: paths.pythonEnvironments,
      installerEnvironment: installerEnvironment(),
    },
  }
}

const INSTALLER_VARIABLE =
  /^(PIP_|UV_|npm_config_|NODE_EXTRA_CA_CERTS$|https?_proxy$|no_proxy$|all_proxy$|SSL_CERT_(FILE|DIR)$|REQUESTS_CA_BUNDLE$)/i

/** What package installers are set by, as the operator has it. */
function installerEnvironment(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(environment()).flatMap(([name, value]) =>
      value !== undefined && INSTALLER_VARIABLE.test(name) ? [[name, value]] : [],
    ),
  )
}

/** What every container sees; never the platform's own environment or credentials. */
function containerEnvironment(
  config: Config,
  paths: DataPaths,
  url: string,
): Readonly<Record<string, string>> {
  const { PATH = '/usr/local/bin:/usr/bin:/bin', NODE_COMPILE_CACHE } = environment()
  return {
    PATH,
    HOME: '/tmp',
    AWS_REGION: config.BERTH_REGION,
    AWS_DEFAULT_REGION: config.BERTH_REGION,
    AWS_ENDPOINT_URL: url,
    NODE_COMPILE_CACHE: NODE_COMPILE_CACHE ?? join(paths.codeCache, 'instances'),
  }
}

/** Where this installation pretends to be. */
export function installationOf(config: Config): {
  readonly accountId: string
  readonly region: string
} {
  return { accountId: config.BERTH_ACCOUNT_ID, region: config.BERTH_REGION }
}

/** Host names under which the S3 face answers. */
export function ownHosts(config: Config): readonly string[] {
  return [config.BERTH_HOST, config.BERTH_S3_DOMAIN, 'localhost', '127.0.0.1']
}

// A client cannot connect to the address that means all of them.
export function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
