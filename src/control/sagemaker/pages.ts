import { createHash } from 'node:crypto'
import type { CompilationStatus } from '../../domain/compilation-job.ts'
import type { EndpointStatus } from '../../domain/endpoint.ts'
import type { BerthError } from '../../domain/errors.ts'
import type { ListCursor, ListQuery } from '../../ports/store.ts'
import { invalid } from './refusals.ts'

// Source: SageMaker API reference, `MaxResults` of the list operations.
const MAX_RESULTS_DEFAULT = 10

/** Members that list operations have in common, and those that only some of them have. */
interface ListInput {
  readonly SortBy?: 'Name' | 'CreationTime' | 'Status' | undefined
  readonly SortOrder?: 'Ascending' | 'Descending' | undefined
  readonly NextToken?: string | undefined
  readonly MaxResults?: number | undefined
  readonly NameContains?: string | undefined
  readonly CreationTimeBefore?: Date | undefined
  readonly CreationTimeAfter?: Date | undefined
  readonly LastModifiedTimeBefore?: Date | undefined
  readonly LastModifiedTimeAfter?: Date | undefined
  readonly StatusEquals?: EndpointStatus | CompilationStatus | undefined
}

/** A list request: what to ask of the store, and how to say where the next page begins. */
export interface ListRequest {
  readonly query: ListQuery
  /** The `NextToken` for a cursor; undefined on the last page. */
  readonly encodeToken: (next: ListCursor | undefined) => string | undefined
}

/**
 * Newest first, ten a page, unless the input says otherwise.
 *
 * @throws BerthError `ValidationException`: the token belongs to another list, or is none of ours.
 */
export function parseListInput(operationName: string, input: ListInput): ListRequest {
  const { SortBy = 'CreationTime', SortOrder = 'Descending', NextToken, MaxResults } = input
  const filters = {
    sortBy: SortBy,
    descending: SortOrder === 'Descending',
    nameContains: input.NameContains,
    createdAfterMs: epochMsOf(input.CreationTimeAfter),
    createdBeforeMs: epochMsOf(input.CreationTimeBefore),
    modifiedAfterMs: epochMsOf(input.LastModifiedTimeAfter),
    modifiedBeforeMs: epochMsOf(input.LastModifiedTimeBefore),
    status: input.StatusEquals,
  }
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([operationName, filters]))
    .digest('base64url')
    .slice(0, 16)
  return {
    query: {
      ...filters,
      limit: MaxResults ?? MAX_RESULTS_DEFAULT,
      after: NextToken === undefined ? undefined : parseToken(NextToken, fingerprint),
    },
    encodeToken: (next) => (next === undefined ? undefined : encodeToken(next, fingerprint)),
  }
}

/** The wording of emulators; AWS's own is not documented. */
export function invalidToken(reason: string): BerthError {
  return invalid(`Invalid pagination token because "${reason}".`)
}

// Bound to the operation, its filters and its order: with others the place it names would mean nothing.
function encodeToken({ sortKey, name }: ListCursor, fingerprint: string): string {
  return Buffer.from(JSON.stringify([fingerprint, sortKey, name])).toString('base64url')
}

function parseToken(token: string, fingerprint: string): ListCursor {
  const parts = parseJson(Buffer.from(token, 'base64url').toString('utf8'))
  if (!Array.isArray(parts) || parts.length !== 3) throw invalidToken('it is not a token of Berth')
  const [tokenFingerprint, sortKey, name]: unknown[] = parts
  if (tokenFingerprint !== fingerprint) {
    throw invalidToken('it belongs to a list with other filters or another order')
  }
  const isSortKey = typeof sortKey === 'string' || typeof sortKey === 'number'
  if (!isSortKey || typeof name !== 'string') throw invalidToken('it is not a token of Berth')
  return { sortKey, name }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function epochMsOf(time: Date | undefined): number | undefined {
  const epochMs = time?.getTime()
  if (epochMs !== undefined && !Number.isFinite(epochMs)) {
    throw invalid('A timestamp of the request lies outside the range of times.')
  }
  return epochMs
}
