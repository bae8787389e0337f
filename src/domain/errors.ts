import { S3_ERRORS } from './s3-errors.ts'

/** Who should look when this error appears. */
export type Fault = 'client' | 'model' | 'platform'

interface ErrorSpec {
  /** Status on REST protocols; JSON control-plane services answer 400 for every client fault. */
  readonly httpStatus: number
  readonly fault: Fault
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean
  /** One sentence for the reference page: when it appears. */
  readonly meaning: string
  /** One sentence for the reference page: what the caller does about it. */
  readonly advice: string
}

/**
 * Every error Berth can return. Wire codec, metrics, docs page and conformance cases derive from it.
 *
 * Source: SageMaker service models (modelled errors), AWS common errors, S3 error responses.
 */
export const ERRORS = {
  ValidationException: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning:
      'A control-plane request breaks a constraint, or names something unknown or duplicate.',
    advice: 'Read the message: it names the member, its value and what was expected.',
  },
  ValidationError: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning:
      'An invocation or a Query request is not valid, or its endpoint or variant is unknown.',
    advice: 'Compare the endpoint, variant and headers with DescribeEndpoint.',
  },
  SerializationException: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning: 'The body is not JSON, or a member has the wrong JSON type.',
    advice: 'Send one JSON object whose members have the types of the API reference.',
  },
  UnknownOperationException: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning: 'The operation does not exist or Berth does not offer it.',
    advice: 'See the list of operations in the reference.',
  },
  InvalidAction: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning: 'A Query-protocol action does not exist or Berth does not offer it.',
    advice: 'See the list of operations in the reference.',
  },
  ResourceInUse: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning: 'The name of a job is taken.',
    advice: 'Choose another name.',
  },
  ResourceNotFound: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning: 'The resource of an ARN does not exist.',
    advice: 'List the resources and correct the ARN.',
  },
  ResourceLimitExceeded: {
    httpStatus: 400,
    fault: 'client',
    retryable: false,
    meaning: 'The request would exceed a quota of this installation.',
    advice: 'Delete something, or raise the option that the message names.',
  },
  AccessDeniedException: {
    httpStatus: 403,
    fault: 'client',
    retryable: false,
    meaning: 'The caller is known and not allowed to do this.',
    advice: 'Use other credentials.',
  },
  MissingAuthenticationTokenException: {
    httpStatus: 403,
    fault: 'client',
    retryable: false,
    meaning: 'The request is not signed.',
    advice: 'Give the client credentials: eval "$(berth env)".',
  },
  IncompleteSignatureException: {
    httpStatus: 403,
    fault: 'client',
    retryable: false,
    meaning: 'The Authorization header lacks a part.',
    advice: 'Sign with an AWS SDK.',
  },
  UnrecognizedClientException: {
    httpStatus: 403,
    fault: 'client',
    retryable: false,
    meaning: 'The access key or session token is not one of this installation.',
    advice: 'Take the credentials of this data directory: eval "$(berth env)".',
  },
  InvalidSignatureException: {
    httpStatus: 403,
    fault: 'client',
    retryable: false,
    meaning: 'The signature, its scope or its date is wrong.',
    advice: 'Look at the secret key, the region and the clock of the client.',
  },
  ExpiredTokenException: {
    httpStatus: 403,
    fault: 'client',
    retryable: false,
    meaning: 'The temporary credentials have expired.',
    advice: 'Call AssumeRole again.',
  },
  ThrottlingException: {
    httpStatus: 400,
    fault: 'client',
    retryable: true,
    meaning: 'The caller sends more than its share.',
    advice: 'Back off and repeat.',
  },
  RequestEntityTooLargeException: {
    httpStatus: 413,
    fault: 'client',
    retryable: false,
    meaning: 'The body is larger than the limit.',
    advice: 'Send a smaller body, or raise the option that the message names.',
  },
  RequestTimeout: {
    httpStatus: 408,
    fault: 'client',
    retryable: true,
    meaning: 'The client did not send the whole request in time.',
    advice: 'Send the body without pauses.',
  },
  ModelError: {
    httpStatus: 424,
    fault: 'model',
    retryable: false,
    meaning: 'The container answered with an error, broke off or did not answer in time.',
    advice: 'Read OriginalStatusCode and OriginalMessage, then `berth logs ENDPOINT`.',
  },
  ModelNotReadyException: {
    httpStatus: 429,
    fault: 'platform',
    retryable: true,
    meaning: 'The model is still being loaded.',
    advice: 'Repeat the call.',
  },
  InternalFailure: {
    httpStatus: 500,
    fault: 'platform',
    retryable: true,
    meaning: 'A bug in Berth. The reply and the log carry the same error id.',
    advice: 'Report it with the error id.',
  },
  ServiceUnavailable: {
    httpStatus: 503,
    fault: 'platform',
    retryable: true,
    meaning: 'No instance can take the invocation now, or control is restarting.',
    advice: 'Repeat the call; if it stays, `berth describe ENDPOINT`.',
  },
  InternalDependencyException: {
    httpStatus: 530,
    fault: 'platform',
    retryable: true,
    meaning: 'Something that Berth depends on, such as the object store, does not answer.',
    advice: 'See the message and `berth doctor`.',
  },
  InsufficientStorage: {
    httpStatus: 507,
    fault: 'platform',
    retryable: false,
    meaning: 'The disk of the data directory is full; nothing was changed.',
    advice: 'Free space on the disk that holds --data-dir, then repeat.',
  },
  ...S3_ERRORS,
} as const satisfies Record<string, ErrorSpec>

/** A key of {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS

/** Additional members of the wire body, e.g. `OriginalStatusCode` of a ModelError. */
export type ErrorMembers = Readonly<Record<string, string | number>>

/** A failure with a place in {@link ERRORS}. Anything else that is thrown is a bug. */
export class BerthError extends Error {
  readonly code: ErrorCode
  readonly members: ErrorMembers

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly members?: ErrorMembers } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = code
    this.code = code
    this.members = options.members ?? {}
  }
}

/** Narrows a caught value to a failure the caller may see. */
export function isBerthError(value: unknown): value is BerthError {
  return value instanceof BerthError
}
