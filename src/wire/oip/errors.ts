/**
 * Codes of the Open Inference Protocol as Triton has them, with their HTTP status and gRPC status code.
 *
 * Source: Triton `http_server.cc` (TRITONSERVER_ErrorCode → evhtp status), `grpc_utils.cc`.
 */
export const OIP_ERRORS = {
  UNKNOWN: { httpStatus: 400, grpcStatus: 2 },
  INTERNAL: { httpStatus: 500, grpcStatus: 13 },
  NOT_FOUND: { httpStatus: 404, grpcStatus: 5 },
  INVALID_ARG: { httpStatus: 400, grpcStatus: 3 },
  UNAVAILABLE: { httpStatus: 503, grpcStatus: 14 },
  UNSUPPORTED: { httpStatus: 501, grpcStatus: 12 },
  ALREADY_EXISTS: { httpStatus: 400, grpcStatus: 6 },
  CANCELLED: { httpStatus: 400, grpcStatus: 1 },
} as const

/** A key of {@link OIP_ERRORS}. */
export type OipErrorCode = keyof typeof OIP_ERRORS

/** A refusal or failure that a client of the Open Inference Protocol sees, in Triton's words. */
export class OipError extends Error {
  readonly code: OipErrorCode

  constructor(code: OipErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'OipError'
    this.code = code
  }
}

/** The one form every HTTP error has: a status and `{"error": …}`. */
export function encodeOipError(error: OipError): {
  readonly status: number
  readonly body: string
} {
  return {
    status: OIP_ERRORS[error.code].httpStatus,
    body: JSON.stringify({ error: error.message }),
  }
}
