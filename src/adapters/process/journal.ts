import type { EndpointEvent } from '../../domain/event.ts'
import type { FleetSpec } from '../../domain/fleet.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Clock } from '../../ports/clock.ts'
import type { InstanceEventKind } from './events.ts'
import type { InstanceRecord } from './records.ts'

/** Writes the events of instances down, in words and with their inputs. */
export class Journal {
  readonly #clock: Clock
  readonly #recordEvent: (event: EndpointEvent) => void

  constructor(clock: Clock, recordEvent: (event: EndpointEvent) => void) {
    this.#clock = clock
    this.#recordEvent = recordEvent
  }

  /** @param whatHappened - goes on after "Instance ID of variant NAME". */
  recordInstance(
    record: InstanceRecord,
    kind: InstanceEventKind,
    whatHappened: string,
    inputs: JsonObject = {},
  ): void {
    const { instanceId, spec, process } = record
    const reason = `Instance ${instanceId} of variant ${spec.variantName} ${whatHappened}.`
    this.recordFleet(spec, kind, reason, { instanceId, pid: process?.pid, ...inputs })
  }

  recordFleet(spec: FleetSpec, kind: InstanceEventKind, reason: string, inputs: JsonObject): void {
    const { endpointName, variantName, generation } = spec
    const atMs = this.#clock.nowMs()
    const about = { variantName, generation, ...inputs }
    this.#recordEvent({ atMs, endpointName, kind, reason, inputs: about })
  }
}
