/** One HTTP request as far as its signature is concerned. */
export interface SignedRequest {
  readonly method: string
  /** Path and query exactly as sent. */
  readonly rawTarget: string
  /** Name and value pairs in the order received, as node's `rawHeaders`. */
  readonly rawHeaders: readonly string[]
  /** Hex SHA-256 of the raw body when it is buffered; undefined while it is still to come. */
  readonly bodySha256: string | undefined
}

/** Who signed. The arn and user id are what GetCallerIdentity answers. */
export interface Principal {
  readonly arn: string
  readonly userId: string
  readonly accountId: string
}

/** What the owner of the credentials knows about an access key and its session token. */
export type SecretLookup =
  | { readonly kind: 'found'; readonly secretAccessKey: string; readonly principal: Principal }
  | { readonly kind: 'unknown-key' }
  | { readonly kind: 'bad-token' }
  | { readonly kind: 'token-expired' }

/** What the signature says about the body. */
export type SignedPayload =
  | { readonly kind: 'hash'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  | StreamingPayload

/** An aws-chunked body. The last four fields are what verifying chunk signatures takes. */
export interface StreamingPayload {
  readonly kind: 'streaming'
  /** Whether each chunk carries a signature. */
  readonly signed: boolean
  /** Whether trailers follow the last chunk. */
  readonly trailer: boolean
  readonly seedSignature: string
  readonly signingKey: Uint8Array
  /** `date/region/service/aws4_request`. */
  readonly scope: string
  readonly amzDate: string
}

/** Why a request is not accepted. */
export type AuthFailureKind =
  | 'missing'
  | 'malformed'
  | 'malformed-query'
  | 'unknown-key'
  | 'bad-signature'
  | 'expired'
  | 'not-yet-valid'
  | 'presign-expired'
  | 'bad-scope'
  | 'token-expired'
  | 'bad-token'
  | 'unsigned-header'
  | 'body-mismatch'
  | 'missing-content-sha256'
  | 'bad-content-sha256'

/** A refused request, with AWS's sentence for the services that are not S3. */
export interface AuthFailure {
  readonly kind: AuthFailureKind
  readonly message: string
}

/** A request whose signature is right. */
export interface VerifiedRequest {
  readonly kind: 'verified'
  readonly form: 'header' | 'query' | 'query-v2'
  readonly accessKeyId: string
  /** The service and region of the credential scope (`s3` and undefined for Signature V2). */
  readonly service: string
  readonly region: string | undefined
  readonly payload: SignedPayload
  readonly principal: Principal
}

/**
 * `needs-body`: everything but the signature itself was right so far (key, clock, scope), and the signature covers
 * the hash of a body that is still to come. Buffer it and verify the rest with its hash, or all of it again.
 */
export type VerifyResult =
  VerifiedRequest | NeedsBody | { readonly kind: 'rejected'; readonly failure: AuthFailure }

/** A head that is right so far. */
export interface NeedsBody {
  readonly kind: 'needs-body'
  /** Verifies what is left, without reading the head again. */
  readonly verifyRest: (bodySha256: string) => VerifyResult
}
