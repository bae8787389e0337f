import type { JsonObject, JsonValue } from '../../../domain/json.ts'

/** One query and the values of its parameters `$1`, `$2`, …. */
export interface RowQuery {
  readonly text: string
  readonly parameters: readonly JsonValue[]
  /** More are a failure. */
  readonly rowsMax: number
}

/** A database that is asked for rows. */
export interface RowSource {
  /** @throws NodeFailure; whatever the signal aborted with. */
  find(query: RowQuery, signal: AbortSignal): Promise<readonly JsonObject[]>
  close(): Promise<void>
}
