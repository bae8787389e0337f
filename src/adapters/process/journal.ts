import { basename } from 'node:path'
import type { EndpointEvent } from '../../domain/event.ts'
import type { FleetSpec } from '../../domain/fleet.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Clock } from '../../ports/clock.ts'
import type { InstanceEventKind } from './events.ts'
import type { InstanceFailure } from './failure.ts'
import type { InstanceRecord } from './records.ts'
import type { Seat } from './seat.ts'
import type { OptimiseOutcome, PreparedModelData } from './settings.ts'

/** Writes the events of instances down, in words and with their inputs. */
export class Journal {
  readonly #clock: Clock
  readonly #recordEvent: (event: EndpointEvent) => void

  constructor(clock: Clock, recordEvent: (event: EndpointEvent) => void) {
    this.#clock = clock
    this.#recordEvent = recordEvent
  }

  recordModelData(record: InstanceRecord, seat: Seat, prepared: PreparedModelData): void {
    const { contentHash, bytes, directory } = prepared
    const inputs = { contentHash, bytes, folder: basename(directory) }
    this.#recordContainer(record, seat, 'model-data-prepared', 'has its model data', inputs)
  }

  recordOptimised(record: InstanceRecord, seat: Seat, outcome: OptimiseOutcome): void {
    if (outcome.kind === 'small') return
    if (outcome.kind === 'optimised') {
      const whatHappened = 'maps the optimised form of its model'
      this.#recordContainer(record, seat, 'model-optimised', whatHappened, outcome.detail)
    } else {
      const whatHappened = `loads its model as it was uploaded: ${outcome.reason}`
      this.#recordContainer(record, seat, 'model-not-optimised', whatHappened)
    }
  }

  recordStarted(record: InstanceRecord, seat: Seat): void {
    this.#recordContainer(record, seat, 'instance-started', 'was started')
  }

  recordContainerFailure(
    record: InstanceRecord,
    seat: Seat,
    { failure, delayMs }: { readonly failure: InstanceFailure; readonly delayMs: number },
  ): void {
    const { cause, reason, exit } = failure
    const soon = delayMs === 0 ? 'at once' : `in ${delayMs / 1000} s`
    const whatHappened = `failed and is started anew ${soon}: ${reason.replace(/\.$/, '')}`
    const inputs = { cause, delayMs, ...exit }
    this.#recordContainer(record, seat, 'container-failed', whatHappened, inputs)
  }

  recordContainerReady(record: InstanceRecord, seat: Seat): void {
    this.#recordContainer(record, seat, 'container-ready', 'answers its pings again')
  }

  recordReady(record: InstanceRecord): void {
    const startMs = (record.readyAtMs ?? record.startedAtMs) - record.startedAtMs
    this.#record(record, 'instance-ready', `answers its pings after ${startMs} ms`, { startMs })
  }

  recordAdopted(record: InstanceRecord): void {
    const { phase } = record
    this.#record(record, 'instance-adopted', 'was found running and is kept', { phase })
  }

  recordFailure(record: InstanceRecord, kind: InstanceEventKind, failure: InstanceFailure): void {
    const { cause, container, permanent, reason, exit } = failure
    const inputs = { cause, container, permanent, readyAtMs: record.readyAtMs, ...exit }
    const what = container === undefined ? 'failed' : `failed with container ${container}`
    this.#record(record, kind, `${what}: ${reason.replace(/\.$/, '')}`, inputs)
  }

  recordDelay(record: InstanceRecord, delayMs: number): void {
    const whatHappened = `is replaced in ${delayMs / 1000} s, because starts keep failing`
    this.#record(record, 'replacement-delayed', whatHappened, { delayMs })
  }

  recordDraining(record: InstanceRecord, reason: string): void {
    this.#record(record, 'instance-draining', `is taken out of routing: ${reason}`)
  }

  recordKilled(record: InstanceRecord, terminateMsMax: number): void {
    const whatHappened = `ran on ${terminateMsMax / 1000} s after SIGTERM`
    this.#record(record, 'instance-killed', whatHappened)
  }

  recordStopped(record: InstanceRecord): void {
    this.#record(record, 'instance-stopped', 'is gone with everything it had started')
  }

  recordOrphan(spec: FleetSpec, instanceId: string, pid: number): void {
    const reason = `Process ${pid} of instance ${instanceId} had outlived it and was killed.`
    this.#recordFleet(spec, 'orphan-killed', reason, { instanceId, pid })
  }

  /** @param whatHappened - goes on after "Instance ID of variant NAME". */
  #record(
    record: InstanceRecord,
    kind: InstanceEventKind,
    whatHappened: string,
    inputs: JsonObject = {},
  ): void {
    const { instanceId, spec, containers } = record
    const reason = `Instance ${instanceId} of variant ${spec.variantName} ${whatHappened}.`
    const pid = containers[0]?.process?.pid
    this.#recordFleet(spec, kind, reason, { instanceId, pid, ...inputs })
  }

  // Of a container by name, or of the instance that it is alone in.
  #recordContainer(
    record: InstanceRecord,
    seat: Seat,
    kind: InstanceEventKind,
    ...[whatHappened, inputs = {}]: readonly [whatHappened: string, inputs?: JsonObject]
  ): void {
    const { hostname: container, socketPath } = seat
    if (container === undefined) return this.#record(record, kind, whatHappened, inputs)
    const pid = record.containers.find((other) => other.socketPath === socketPath)?.process?.pid
    const { instanceId, spec } = record
    const where = `of instance ${instanceId} of variant ${spec.variantName}`
    const reason = `Container ${container} ${where} ${whatHappened}.`
    this.#recordFleet(spec, kind, reason, { instanceId, container, pid, ...inputs })
  }

  #recordFleet(spec: FleetSpec, kind: InstanceEventKind, reason: string, inputs: JsonObject): void {
    const { endpointName, variantName, generation } = spec
    const atMs = this.#clock.nowMs()
    const about = { variantName, generation, ...inputs }
    this.#recordEvent({ atMs, endpointName, kind, reason, inputs: about })
  }
}
