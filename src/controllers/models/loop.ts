import type { InstanceShape } from '../../domain/instance-type.ts'
import type { ModelAsk, ModelCounters } from '../../domain/multi-model/model-messages.ts'
import type { EndpointModelsReport } from '../../domain/multi-model/model-report.ts'
import { ModelTimes } from '../../domain/multi-model/model-times.ts'
import type { Log } from '../../platform/log.ts'
import { WorkQueue } from '../../platform/work-queue.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FleetRuntime } from '../../ports/fleet-runtime.ts'
import type { ModelDisk } from '../../ports/model-disk.ts'
import type { ModelContainer } from '../../ports/model-container.ts'
import type { ModelLink } from '../../ports/model-link.ts'
import type { Store } from '../../ports/store.ts'
import { GatewayStatements } from './gateway-statements.ts'
import { InstanceModels } from './instance-models.ts'
import type { ModelEvent, ModelInstance } from './model-instance.ts'
import { modelInstancesOf, findEnd } from './model-instances.ts'
import { ModelStock } from './model-stock.ts'
import { ProcessDeaths } from './process-deaths.ts'

const RESYNC_INTERVAL_MS = 30_000
// By then instances have said what is loaded there, and which files that uses.
const TAKEN_OVER_MS = 60_000

/** What the models of multi-model endpoints take from their surroundings. */
export interface ModelLoopPorts {
  readonly store: Store
  readonly runtime: FleetRuntime
  readonly link: ModelLink
  readonly container: ModelContainer
  readonly disk: ModelDisk
  /** What the files of models may take of the disk. */
  readonly diskBytesMax: number
  readonly measureBytes: (pid: number) => Promise<number | undefined>
  readonly machine: InstanceShape
  readonly clock: Clock
  /** What loads take is measured by it. */
  readonly nowMs: () => number
  readonly log: Log
}

/** Owns what is loaded on the instances of multi-model endpoints. */
export interface ModelLoop {
  start(): void
  stop(): Promise<void>
  /** Files that must stay where they are. */
  contentHashesInUse(): readonly string[]
  describe(endpointName: string): EndpointModelsReport
}

/** Creates it; it finds the instances by itself. */
export function createModelLoop(ports: ModelLoopPorts): ModelLoop {
  return new Models(ports)
}

interface VariantTimes {
  readonly endpointName: string
  readonly variantName: string
  readonly times: ModelTimes
}

interface FleetDeaths {
  readonly endpointName: string
  readonly deaths: ProcessDeaths
}

class Models implements ModelLoop {
  readonly #ports: ModelLoopPorts
  readonly #stock: ModelStock
  readonly #statements: GatewayStatements
  readonly #modelsByInstance = new Map<string, InstanceModels>()
  readonly #countersByGateway = new Map<string, readonly ModelCounters[]>()
  readonly #timesByVariant = new Map<string, VariantTimes>()
  readonly #deathsByFleet = new Map<string, FleetDeaths>()
  readonly #queue: WorkQueue
  readonly #ends: (() => void)[] = []
  readonly #stopping = new AbortController()

  constructor(ports: ModelLoopPorts) {
    this.#ports = ports
    this.#stock = new ModelStock({
      disk: ports.disk,
      bytesMax: ports.diskBytesMax,
      contentHashesLoaded: () => new Set(this.#contentHashesLoaded()),
      onRemoved: (contentHash, inputs) => {
        ports.log.info({ contentHash, ...inputs }, 'model files removed')
      },
      nowMs: ports.nowMs,
    })
    this.#statements = new GatewayStatements({
      ...ports,
      sleep: (ms, signal) => ports.clock.sleep(ms, signal),
    })
    this.#queue = new WorkQueue({
      name: 'models',
      reconcile: (endpointName) => this.#reconcile(endpointName),
      listKeys: () => ports.store.listEndpointNames(),
      resyncIntervalMs: RESYNC_INTERVAL_MS,
      clock: ports.clock,
      log: ports.log,
    })
  }

  start(): void {
    const add = (endpointName: string): void => this.#queue.add(endpointName)
    this.#ends.push(
      this.#ports.store.onEndpointChange(add),
      this.#ports.runtime.onChange(add),
      this.#ports.link.listen({
        onGateway: (gatewayId) => {
          this.#ports.link.tell(gatewayId, { kind: 'models-asked' })
          for (const models of this.#modelsByInstance.values()) models.welcome(gatewayId)
        },
        onGatewayLost: (gatewayId) => {
          this.#countersByGateway.delete(gatewayId)
          this.#statements.recordLost(gatewayId)
          for (const models of this.#modelsByInstance.values()) models.recordLost(gatewayId)
          for (const { deaths } of this.#deathsByFleet.values()) deaths.recordLost(gatewayId)
        },
        onAsk: (gatewayId, ask) => this.#hear(gatewayId, ask),
      }),
    )
    this.#queue.start()
    void this.#countLeftovers()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const end of this.#ends) end()
    await this.#queue.stop()
    for (const models of this.#modelsByInstance.values()) models.close()
  }

  async #countLeftovers(): Promise<void> {
    const { clock, log } = this.#ports
    try {
      await clock.sleep(TAKEN_OVER_MS, this.#stopping.signal)
      await this.#stock.start()
    } catch (error) {
      if (!this.#stopping.signal.aborted) {
        log.warn({ err: error }, 'model files of an earlier life not counted')
      }
    }
  }

  contentHashesInUse(): readonly string[] {
    return [...this.#contentHashesLoaded(), ...this.#stock.contentHashes()]
  }

  #contentHashesLoaded(): readonly string[] {
    return [...this.#modelsByInstance.values()].flatMap((models) => models.contentHashes())
  }

  describe(endpointName: string): EndpointModelsReport {
    const isOwn = (one: { readonly endpointName: string }): boolean =>
      one.endpointName === endpointName
    const all = [...this.#modelsByInstance.values()]
    return {
      instances: all.filter(({ instance }) => isOwn(instance)).map((models) => models.report()),
      counters: [...this.#countersByGateway.values()].flat().filter(isOwn),
      times: [...this.#timesByVariant.values()]
        .filter(isOwn)
        .map(({ variantName, times }) => ({ variantName, times: times.all() })),
    }
  }

  #hear(gatewayId: string, ask: ModelAsk): void {
    switch (ask.kind) {
      case 'model-wanted': {
        const models = this.#modelsByInstance.get(ask.instanceId)
        // A gateway may know of an instance before this loop has seen it. When it has, gateways are told, and ask again.
        if (models === undefined) this.#queue.add(ask.endpointName)
        else models.want(gatewayId, ask)
        break
      }
      case 'models-held':
        this.#statements.record(gatewayId, ask.models)
        break
      case 'models-used':
        this.#countersByGateway.set(gatewayId, ask.counters)
        for (const [instanceId, uses] of Object.entries(ask.uses)) {
          this.#modelsByInstance.get(instanceId)?.recordUses(uses)
        }
        break
      case 'model-released':
        this.#modelsByInstance.get(ask.instanceId)?.recordReleased(gatewayId, ask)
        break
      case 'models-cut':
        for (const { deaths } of this.#deathsByFleet.values()) deaths.recordAnswer(gatewayId, ask)
        break
      case 'model-done':
        void this.#modelsByInstance.get(ask.instanceId)?.done(ask.modelId)
        break
    }
  }

  async #reconcile(endpointName: string): Promise<undefined> {
    const { store, runtime } = this.#ports
    const endpoint = await store.findEndpoint(endpointName)
    const fleets = await runtime.observeFleets(endpointName)
    if (endpoint === undefined) this.#forgetTimes(endpointName)
    const wanted =
      endpoint === undefined ? [] : modelInstancesOf(endpoint, fleets, this.#ports.machine)
    const pidById = new Map(wanted.map(({ instanceId, pid }) => [instanceId, pid]))
    for (const [instanceId, models] of this.#modelsByInstance) {
      const { instance } = models
      if (instance.endpointName !== endpointName) continue
      const pid = pidById.get(instanceId)
      // A process that was started anew has none of the models of the one before it.
      const isAnother = pid !== undefined && instance.pid !== undefined && pid !== instance.pid
      if (pidById.has(instanceId) && !isAnother) continue
      const how = endpoint === undefined ? undefined : findEnd(instance, fleets)
      this.#modelsByInstance.delete(instanceId)
      if (how !== undefined) this.#recordDeath(models, how)
      models.close()
    }
    for (const instance of wanted) {
      if (!this.#modelsByInstance.has(instance.instanceId)) this.#add(instance)
    }
    for (const [fleetId, { endpointName: owner }] of this.#deathsByFleet) {
      const isGone = !fleets.some((fleet) => fleet.fleetId === fleetId)
      if (owner === endpointName && isGone) this.#deathsByFleet.delete(fleetId)
    }
    return undefined
  }

  #recordDeath(models: InstanceModels, how: string): void {
    const { instance } = models
    const { instanceId, fleetId } = instance
    const wasLast = this.#modelsOf(fleetId).length === 0
    this.#deathsOf(instance).recordDeath({ instanceId, how, loading: models.loading(), wasLast })
  }

  #modelsOf(fleetId: string): readonly InstanceModels[] {
    return [...this.#modelsByInstance.values()].filter(
      ({ instance }) => instance.fleetId === fleetId,
    )
  }

  #deathsOf(instance: ModelInstance): ProcessDeaths {
    const { fleetId, prefixUrl } = instance
    const known = this.#deathsByFleet.get(fleetId)
    if (known !== undefined) return known.deaths
    const { link, clock, nowMs } = this.#ports
    const deaths = new ProcessDeaths({
      connectedGatewayIds: () => link.connectedGatewayIds(),
      tell: (gatewayId, news) => link.tell(gatewayId, news),
      recordEvent: (event) => this.#recordEvent(instance.endpointName, event),
      withdraw: (targetModel) => {
        this.#stock.forget(prefixUrl, targetModel)
        for (const models of this.#modelsOf(fleetId)) models.withdraw(targetModel)
      },
      nowMs,
      sleep: (ms, signal) => clock.sleep(ms, signal),
    })
    this.#deathsByFleet.set(fleetId, { endpointName: instance.endpointName, deaths })
    return deaths
  }

  #recordEvent(endpointName: string, { kind, reason, inputs }: ModelEvent): void {
    const { store, clock, log } = this.#ports
    const event = { atMs: clock.nowMs(), endpointName, kind, reason, inputs }
    store.recordEvent(event).catch((error: unknown) => {
      log.warn({ err: error, event }, 'event not kept')
    })
  }

  #timesOf({ endpointName, variantName }: ModelInstance): ModelTimes {
    const key = `${endpointName}/${variantName}`
    const known = this.#timesByVariant.get(key)
    if (known !== undefined) return known.times
    const times = new ModelTimes()
    this.#timesByVariant.set(key, { endpointName, variantName, times })
    return times
  }

  #forgetTimes(endpointName: string): void {
    for (const [key, entry] of this.#timesByVariant) {
      if (entry.endpointName === endpointName) this.#timesByVariant.delete(key)
    }
  }

  #add(instance: ModelInstance): void {
    const times = this.#timesOf(instance)
    const { link, container, measureBytes, clock, nowMs, log } = this.#ports
    const models = new InstanceModels(instance, {
      container,
      stock: this.#stock,
      held: this.#statements,
      heldBack: this.#deathsOf(instance),
      measureBytes,
      connectedGatewayIds: () => link.connectedGatewayIds(),
      tell: (gatewayId, news) => link.tell(gatewayId, news),
      tellAll: (news) => link.tellAll(news),
      recordEvent: (event) => this.#recordEvent(instance.endpointName, event),
      recordTime: (name, ms) => times.record(name, ms),
      nowMs,
      sleep: (ms, signal) => clock.sleep(ms, signal),
    })
    this.#modelsByInstance.set(instance.instanceId, models)
    models.start().catch((error: unknown) => {
      log.warn({ err: error, instanceId: instance.instanceId }, 'models not looked at')
    })
  }
}
