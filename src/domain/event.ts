import type { JsonObject } from './json.ts'

/** Something that was decided or that happened to an endpoint, with the inputs and a reason for people. */
export interface EndpointEvent {
  readonly atMs: number
  readonly endpointName: string
  /** Past tense, kebab-case, closed per room: `status-changed`, `instance-started`, `instance-exited`, … */
  readonly kind: string
  /** One sentence a person can read. */
  readonly reason: string
  /** What the decision was made from: counts, ids, exit codes. No payloads, no secrets. */
  readonly inputs: JsonObject
}
