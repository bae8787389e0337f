import type { EndpointWorld } from '../../src/controllers/endpoint/world.ts'
import { isInProgress } from '../../src/domain/endpoint.ts'
import type { Deployment, Endpoint } from '../../src/domain/endpoint.ts'
import type { EndpointEvent } from '../../src/domain/event.ts'
import type {
  FleetSpec,
  ObservedFleet,
  ObservedInstance,
  StartFailure,
} from '../../src/domain/fleet.ts'
import type { EndpointRoute } from '../../src/domain/routes.ts'
import { creating, generation, instance, variant } from './endpoints.ts'

interface FakeFleet {
  readonly spec: FleetSpec
  desiredCount: number
  instances: ObservedInstance[]
  startFailure: StartFailure | undefined
}

/**
 * One endpoint's world in memory: a record with revisions, fleets whose instances move only when told to, one route.
 *
 * Instances of generations in `badGenerations` never become ready.
 */
export class FakeEndpointWorld implements EndpointWorld {
  nowMs = 1_000
  endpoint: Endpoint | undefined
  route: EndpointRoute | undefined
  /** What this control remembers to have published; forgotten when it is restarted. */
  published: EndpointRoute | undefined
  readonly badGenerations = new Set<string>()
  readonly fleets = new Map<string, FakeFleet>()
  readonly events: EndpointEvent[] = []
  #nextId = 0

  observe = (endpointName: string) =>
    Promise.resolve({
      endpointName,
      endpoint: this.endpoint,
      fleets: this.observeFleets(),
      isRouted: this.route !== undefined,
      publishedRoute: this.published,
      nowMs: this.nowMs,
      settings: { startAttemptsMax: 3, steadyMs: 500 },
    })

  observeFleets(): readonly ObservedFleet[] {
    return [...this.fleets.values()].map(({ spec, desiredCount, instances, startFailure }) => ({
      ...spec,
      desiredInstanceCount: desiredCount,
      instances: [...instances],
      startFailure,
    }))
  }

  applyFleet(spec: FleetSpec, count: number): Promise<void> {
    const fleet = this.fleets.get(spec.fleetId) ?? {
      spec,
      desiredCount: 0,
      instances: [],
      startFailure: undefined,
    }
    this.fleets.set(spec.fleetId, fleet)
    fleet.desiredCount = count
    fleet.startFailure = undefined
    let kept = 0
    fleet.instances = fleet.instances.map((one) => {
      if (one.state === 'draining') return one
      kept += 1
      return kept > count ? { ...one, state: 'draining' as const } : one
    })
    return Promise.resolve()
  }

  removeFleet(fleetId: string): Promise<void> {
    const fleet = this.fleets.get(fleetId)
    return fleet === undefined ? Promise.resolve() : this.applyFleet(fleet.spec, 0)
  }

  publishRoute(route: EndpointRoute): void {
    this.route = route
    this.published = route
  }

  withdrawRoute(): void {
    this.route = undefined
    this.published = undefined
  }

  saveEndpoint(endpoint: Endpoint): Promise<boolean> {
    if (this.endpoint?.revision !== endpoint.revision) return Promise.resolve(false)
    this.endpoint = { ...endpoint, revision: endpoint.revision + 1 }
    return Promise.resolve(true)
  }

  removeEndpoint({ revision }: Endpoint): Promise<boolean> {
    if (this.endpoint?.revision !== revision) return Promise.resolve(false)
    this.endpoint = undefined
    return Promise.resolve(true)
  }

  recordEvent(event: EndpointEvent): Promise<void> {
    this.events.push(event)
    return Promise.resolve()
  }

  /** One thing happens to one fleet, if it can. */
  moveFleet(index: number, move: 'start' | 'settle' | 'kill' | 'end'): void {
    const fleet = [...this.fleets.values()][index % Math.max(1, this.fleets.size)]
    if (fleet === undefined) return
    const isBad = this.badGenerations.has(`${fleet.spec.endpointId}-${fleet.spec.generation}`)
    const live = fleet.instances.filter(({ state }) => state !== 'draining')
    if (move === 'start' && live.length < fleet.desiredCount) {
      const instanceId = `${fleet.spec.fleetId}/${(this.#nextId += 1)}`
      fleet.instances.push(instance(instanceId, { state: 'starting', startedAtMs: this.nowMs }))
    }
    if (move === 'settle') {
      const at = fleet.instances.findIndex(({ state }) => state === 'starting')
      const starting = fleet.instances[at]
      if (starting !== undefined && isBad) this.#failStart(fleet, at)
      else if (starting !== undefined) {
        fleet.instances[at] = { ...starting, state: 'ready', readyAtMs: this.nowMs }
        fleet.startFailure = undefined
      }
    }
    if (move === 'kill') fleet.instances.splice(0, 1)
    if (move === 'end')
      fleet.instances = fleet.instances.filter(({ state }) => state !== 'draining')
    if (fleet.desiredCount === 0 && fleet.instances.length === 0)
      this.fleets.delete(fleet.spec.fleetId)
  }

  /** A caller creates, updates, scales or deletes, if control would let it. */
  request(wish: 'create' | 'update' | 'scale' | 'delete', isBad: boolean, count: number): void {
    const { endpoint, nowMs: startedAtMs } = this
    if (endpoint === undefined) {
      if (wish === 'create') this.#create(isBad, count)
      return
    }
    if (isInProgress(endpoint.status)) return
    if (wish === 'delete') this.#write({ ...endpoint, status: 'Deleting' })
    if (endpoint.status === 'Failed' || endpoint.serving === undefined) return
    const { serving } = endpoint
    if (wish === 'update') {
      const number = endpoint.lastGeneration + 1
      const green = generation(number, [variant({ desiredInstanceCount: count })])
      if (isBad) this.badGenerations.add(`${endpoint.endpointId}-${number}`)
      const deployment: Deployment = { kind: 'update', green, startedAtMs }
      this.#write({ ...endpoint, status: 'Updating', deployment, lastGeneration: number })
    }
    if (wish === 'scale') {
      const variants = serving.variants.map((one) => ({
        ...one,
        desiredInstanceCount: count,
        desiredWeight: count,
      }))
      const deployment: Deployment = { kind: 'capacity', previous: serving, startedAtMs }
      this.#write({
        ...endpoint,
        status: 'Updating',
        deployment,
        serving: { ...serving, variants },
      })
    }
  }

  #create(isBad: boolean, count: number): void {
    const endpointId = `e${(this.#nextId += 1)}`
    if (isBad) this.badGenerations.add(`${endpointId}-1`)
    const green = generation(1, [variant({ desiredInstanceCount: count })])
    this.endpoint = { ...creating(green, this.nowMs), endpointId }
  }

  #write(endpoint: Endpoint): void {
    this.endpoint = { ...endpoint, revision: endpoint.revision + 1, failureReason: undefined }
  }

  #failStart(fleet: FakeFleet, at: number): void {
    fleet.instances.splice(at, 1)
    fleet.startFailure = {
      cause: 'exited',
      reason: 'exited with code 3',
      atMs: this.nowMs,
      consecutiveCount: (fleet.startFailure?.consecutiveCount ?? 0) + 1,
      permanent: false,
    }
  }
}
