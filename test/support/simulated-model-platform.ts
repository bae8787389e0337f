import { createModelLoop } from '../../src/controllers/models/loop.ts'
import type { ObservedFleet } from '../../src/domain/fleet.ts'
import type { EndpointRoute } from '../../src/domain/routes.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { FleetRuntime } from '../../src/ports/fleet-runtime.ts'
import type { ModelContainer } from '../../src/ports/model-container.ts'
import type { Store } from '../../src/ports/store.ts'
import { endpoint, generation, instance, variant } from './endpoints.ts'
import { SimulatedModelContainer } from './simulated-model-container.ts'
import { SimulatedModelGateway } from './simulated-model-gateway.ts'
import { SimulatedModelLink } from './simulated-model-link.ts'
import { SimulatedTime, nextEventMs, seededRandom } from './simulated-time.ts'
import { unboundedDisk } from './unbounded-disk.ts'

/** What is simulated. */
export interface SimulatedPlatformOptions {
  readonly seed: number
  readonly gatewayCount: number
  readonly callersPerGateway: number
  readonly modelCount: number
  /** Models that fit into the memory that the endpoint is given. */
  readonly modelsMax: number
  /** Models that fit into the container, whatever the endpoint was given. @defaultValue as many as there are */
  readonly containerModelsMax?: number
  readonly isCaching?: boolean
  /** Faults on average every so often, until {@link faultsUntilMs}; calls begin until two seconds later. */
  readonly faultEveryMs: number
  readonly faultsUntilMs: number
  /** When it is looked whether everything has ended. */
  readonly untilMs: number
}

const MODEL_BYTES = 1024 ** 2
const FILE_BYTES = 600 * 1024
const ENDPOINT = 'digits'
const INSTANCE = 'i1'
const DOWN_MS_MAX = 800
const CALLS_AFTER_FAULTS_MS = 2_000

/**
 * Control's owner of models, gateways' lanes and the link between them as they are, around a simulated container, with
 * processes killed and connections cut at random moments.
 */
export class SimulatedModelPlatform {
  readonly container: SimulatedModelContainer
  readonly events: string[] = []
  readonly faults: string[] = []
  readonly gateways: SimulatedModelGateway[] = []
  readonly #options: SimulatedPlatformOptions
  readonly #time = new SimulatedTime()
  readonly #random: () => number
  #link: SimulatedModelLink | undefined
  #gatewayNumber = 0

  constructor(options: SimulatedPlatformOptions) {
    this.#options = options
    this.#random = seededRandom(options.seed)
    const { modelCount, containerModelsMax = modelCount } = options
    this.container = new SimulatedModelContainer({
      time: this.#time,
      random: this.#random,
      modelBytes: MODEL_BYTES,
      modelsMax: containerModelsMax,
    })
  }

  async run(): Promise<void> {
    this.#startControl()
    for (let count = 0; count < this.#options.gatewayCount; count += 1) this.#startGateway()
    this.#faultFrom(0)
    await this.#time.run(() => false, this.#options.untilMs)
  }

  #startGateway(): void {
    this.#gatewayNumber += 1
    const { callersPerGateway, modelCount, faultsUntilMs } = this.#options
    const gateway = new SimulatedModelGateway({
      gatewayId: `g${this.#gatewayNumber}`,
      time: this.#time,
      random: this.#random,
      container: this.container,
      route: this.#route(),
      findLink: () => this.#link,
      callsUntilMs: faultsUntilMs + CALLS_AFTER_FAULTS_MS,
      modelCount,
      untilMs: this.#options.untilMs,
    })
    this.gateways.push(gateway)
    gateway.start(callersPerGateway)
  }

  #startControl(): void {
    const time = this.#time
    const link = new SimulatedModelLink(time, this.#random, () => this.gateways)
    this.#link = link
    const isAlive = (): boolean => this.#link === link
    // Nothing that was under way in a process that is gone comes to an end there.
    const whileAlive = <T>(ask: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        if (!isAlive()) return
        ask().then(
          (value) => isAlive() && resolve(value),
          (error: unknown) => isAlive() && reject(error),
        )
      })
    const { container } = this
    const seen: ModelContainer = {
      load: (address, model) => whileAlive(() => container.load(address, model)),
      unload: (address, model) => whileAlive(() => container.unload(address, model)),
      list: () => whileAlive(() => container.list()),
    }
    const readyAtMs = time.nowMs() + this.#random() * DOWN_MS_MAX
    const { runtime, announceReady } = this.#runtime(readyAtMs)
    const loop = createModelLoop({
      store: this.#store(),
      runtime,
      link,
      container: seen,
      disk: unboundedDisk(async ({ url }) => {
        await whileAlive(() => time.sleep(this.#random() * 10, new AbortController().signal))
        return { directory: url, contentHash: url, bytes: FILE_BYTES }
      }),
      diskBytesMax: Infinity,
      measureBytes: () => Promise.resolve(container.bytes),
      machine: { vCpuCount: 2, memoryBytes: 2 ** 40 },
      clock: {
        nowMs: () => time.nowMs(),
        sleep: (ms, signal) => whileAlive(() => time.sleep(ms, signal)),
      },
      nowMs: () => time.nowMs(),
      log: silentLog,
    })
    // Its link stands before it has found its rooms.
    const startsAtMs = time.nowMs() + this.#random() * 100
    time.at(startsAtMs, () => isAlive() && loop.start())
    time.at(readyAtMs, () => isAlive() && announceReady())
  }

  #runtime(readyAtMs: number) {
    const listeners: ((endpointName: string) => void)[] = []
    const observe = (): readonly ObservedFleet[] => {
      const isReady = this.#time.nowMs() >= readyAtMs
      const state = isReady ? 'ready' : 'starting'
      const { endpointId } = endpoint()
      const fleet = { fleetId: 'f', endpointName: ENDPOINT, endpointId, variantName: 'AllTraffic' }
      const instances = [instance(INSTANCE, { state, pid: 1 })]
      const counts = { generation: 1, desiredInstanceCount: 1, startFailure: undefined }
      return [{ ...fleet, ...counts, instances }]
    }
    const runtime = {
      observeFleets: () => Promise.resolve(observe()),
      onChange: (listener: (endpointName: string) => void) => {
        listeners.push(listener)
        return () => undefined
      },
    } as unknown as FleetRuntime
    const announceReady = (): void => {
      for (const listener of listeners) listener(ENDPOINT)
    }
    return { runtime, announceReady }
  }

  #store(): Store {
    const { isCaching = true, modelsMax } = this.#options
    const container = {
      hostname: 'primary',
      image: 'any',
      environment: { BERTH_MODEL_MEMORY_BYTES: String(modelsMax * MODEL_BYTES) },
      modelData: undefined,
      multiModel: { prefixUrl: 's3://models/', isCaching },
    }
    const serving = generation(1, [variant({ containers: [container] })])
    return {
      findEndpoint: () => Promise.resolve(endpoint({ serving })),
      listEndpointNames: () => Promise.resolve([ENDPOINT]),
      onEndpointChange: () => () => undefined,
      recordEvent: ({ kind }: { readonly kind: string }) => {
        this.events.push(kind)
        return Promise.resolve()
      },
    } as unknown as Store
  }

  #route(): EndpointRoute {
    const address = { kind: 'socket', path: `/run/${INSTANCE}.sock` } as const
    return {
      endpointName: ENDPOINT,
      variants: [
        {
          variantName: 'AllTraffic',
          weight: 1,
          routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
          containerHostname: 'primary',
          instances: [{ instanceId: INSTANCE, address }],
          multiModel: { isCaching: this.#options.isCaching ?? true },
        },
      ],
    }
  }

  #faultFrom(atMs: number): void {
    const { faultEveryMs, faultsUntilMs } = this.#options
    const nextAtMs = atMs + nextEventMs(faultEveryMs, this.#random)
    if (nextAtMs >= faultsUntilMs) return
    this.#time.at(nextAtMs, () => {
      this.#fault()
      this.#faultFrom(nextAtMs)
    })
  }

  #fault(): void {
    const draw = this.#random()
    const later = this.#time.nowMs() + this.#random() * DOWN_MS_MAX
    const alive = this.gateways.filter(({ isAlive }) => isAlive)
    const gateway = alive[Math.floor(this.#random() * alive.length)]
    if (draw < 0.3 && gateway !== undefined) {
      this.#note(`${gateway.gatewayId} killed`)
      gateway.kill()
      this.#link?.disconnect(gateway.gatewayId)
      this.#time.at(later, () => this.#startGateway())
    } else if (draw < 0.6 && this.#link !== undefined) {
      this.#note('control killed')
      const link = this.#link
      this.#link = undefined
      link.cut()
      this.#time.at(later, () => this.#startControl())
    } else if (draw < 0.9 && gateway !== undefined) {
      this.#note(`${gateway.gatewayId} cut off`)
      this.#link?.disconnect(gateway.gatewayId)
    } else {
      this.#note('models lost')
      this.container.forget()
    }
  }

  #note(what: string): void {
    this.faults.push(`${Math.round(this.#time.nowMs())} ms: ${what}`)
  }
}
