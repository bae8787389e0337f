/**
 * Parses the body of a SageMaker operation into a plain object: timestamps are `Date`s, unknown members are dropped.
 *
 * @throws BerthError `SerializationException`: not a JSON object, or a member has the wrong JSON type.
 */
export function parseJsonInput(_operationName: string, _body: Uint8Array): unknown {
  throw new Error('unfinished')
}

/** Encodes the output of a SageMaker operation; an operation without output has an empty body. */
export function encodeJsonOutput(_operationName: string, _value: unknown): string {
  throw new Error('unfinished')
}

/** Whether SageMaker has the operation and whether Berth answers it. */
export function findOperation(_name: string): 'offered' | 'not-offered' | 'unknown' {
  throw new Error('unfinished')
}
