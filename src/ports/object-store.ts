/** Names one object. */
export interface ObjectAddress {
  readonly bucketName: string
  /** 1 to 1024 bytes of UTF-8; any characters. */
  readonly key: string
}

/** A place for objects. */
export interface Bucket {
  readonly name: string
  readonly createdAtMs: number
}

/** What the writer of an object says about it; every read gives it back. */
export interface ObjectProperties {
  readonly contentType?: string | undefined
  readonly contentEncoding?: string | undefined
  readonly contentLanguage?: string | undefined
  readonly contentDisposition?: string | undefined
  readonly cacheControl?: string | undefined
  readonly expires?: string | undefined
  /** Names in lower case, without `x-amz-meta-`. */
  readonly userMetadata?: Readonly<Record<string, string>> | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** Base64 checksums by lower-case algorithm name (`crc32`, `sha256` …), verified before they are stored. */
export type ObjectChecksums = Readonly<Record<string, string>>

/** What the store knows about an object without reading it. */
export interface ObjectMetadata {
  /** Without quotes. MD5 of the bytes, or `<md5 of part md5s>-<parts>`. */
  readonly etag: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  readonly properties: ObjectProperties
  readonly checksums?: ObjectChecksums | undefined
}

/** A stream of bytes that is read once. */
export type ObjectBody = AsyncIterable<Uint8Array>

/** What must hold at the moment a write becomes visible, else `PreconditionFailed`. */
export type WriteCondition =
  { readonly kind: 'absent' } | { readonly kind: 'etag'; readonly etag: string }

/** One write of a whole object. */
export interface PutObject extends ObjectAddress {
  /** Of any length. When it throws, nothing is stored and that error is rethrown: so a caller verifies as it streams. */
  readonly body: ObjectBody
  readonly properties?: ObjectProperties | undefined
  readonly condition?: WriteCondition | undefined
  /** Asked after the last byte: checksums in trailers are not known earlier. */
  readonly checksums?: (() => ObjectChecksums) | undefined
}

/** Inclusive byte positions, `0 ≤ firstByte ≤ lastByte < sizeBytes`. */
export interface ByteRange {
  readonly firstByte: number
  readonly lastByte: number
}

/** One version of an object, unchanged by later writes while it is open. */
export interface OpenedObject {
  readonly metadata: ObjectMetadata
  /** Streams the bytes, all of them or a range. At most one read at a time. */
  read(range?: ByteRange): ObjectBody
  close(): Promise<void>
}

/** A server-side copy. */
export interface CopyObject {
  readonly source: ObjectAddress
  readonly target: ObjectAddress
  /** The source's ETag the caller has judged; another one is `PreconditionFailed`. */
  readonly sourceEtag?: string | undefined
  /** The source's own when absent. */
  readonly properties?: ObjectProperties | undefined
  readonly condition?: WriteCondition | undefined
}

/** A question for part of a bucket, answered in UTF-8 byte order of keys. */
export interface ListObjects {
  readonly bucketName: string
  readonly prefix?: string | undefined
  /** Keys that contain it after the prefix are rolled up into one common prefix. */
  readonly delimiter?: string | undefined
  /** Only what sorts after it is listed, common prefixes included. */
  readonly startAfter?: string | undefined
  /** Objects and common prefixes together. */
  readonly entriesMax: number
}

/** One object of a listing. */
export interface ListedObject {
  readonly key: string
  readonly etag: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
}

/** One page of a listing. */
export interface ObjectPage {
  readonly objects: readonly ListedObject[]
  readonly commonPrefixes: readonly string[]
  /** `startAfter` of the next page; undefined on the last. */
  readonly nextStartAfter: string | undefined
}

/** Names one upload in parts. */
export interface UploadAddress extends ObjectAddress {
  readonly uploadId: string
}

/** One write of a part; the same number again replaces it. */
export interface PutPart extends UploadAddress {
  /** 1 to 10 000. */
  readonly partNumber: number
  readonly body: ObjectBody
  readonly checksums?: (() => ObjectChecksums) | undefined
}

/** A part that was uploaded. */
export interface UploadedPart {
  readonly partNumber: number
  readonly etag: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  readonly checksums?: ObjectChecksums | undefined
}

/** The end of an upload: its parts, ascending, become one object. */
export interface CompleteUpload extends UploadAddress {
  readonly parts: readonly { readonly partNumber: number; readonly etag: string }[]
  readonly condition?: WriteCondition | undefined
  /** Wraps the joined bytes, to verify a checksum of the whole; what it throws is rethrown and nothing is stored. */
  readonly verify?: ((body: ObjectBody) => ObjectBody) | undefined
}

/** What a write made. */
export interface StoredObject {
  readonly etag: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
}

/**
 * Objects in buckets, as S3 has them.
 *
 * A write is visible whole or not at all, and durable when its promise resolves. Reads see one version. The last of
 * two concurrent writes wins. Aborting the signal of a write leaves nothing behind.
 *
 * Every method that names a bucket throws BerthError `NoSuchBucket` or `InvalidBucketName`; every one that names a
 * key `KeyTooLongError`; every write `InsufficientStorage` when the disk is full.
 */
export interface ObjectStore {
  /** Says whether it was there before. */
  createBucket(bucketName: string, signal: AbortSignal): Promise<'created' | 'existed'>
  /** The bucket, or undefined. */
  findBucket(bucketName: string, signal: AbortSignal): Promise<Bucket | undefined>
  /** By name. */
  listBuckets(signal: AbortSignal): Promise<readonly Bucket[]>
  /** @throws BerthError `BucketNotEmpty` */
  deleteBucket(bucketName: string, signal: AbortSignal): Promise<void>

  /** @throws BerthError `PreconditionFailed` */
  putObject(put: PutObject, signal: AbortSignal): Promise<StoredObject>
  /** @throws BerthError `NoSuchKey` */
  openObject(address: ObjectAddress, signal: AbortSignal): Promise<OpenedObject>
  /** @throws BerthError `NoSuchKey` */
  headObject(address: ObjectAddress, signal: AbortSignal): Promise<ObjectMetadata>
  /** Deleting what is not there is fine. */
  deleteObject(address: ObjectAddress, signal: AbortSignal): Promise<void>
  /** @throws BerthError `NoSuchKey`, `PreconditionFailed` */
  copyObject(copy: CopyObject, signal: AbortSignal): Promise<StoredObject>
  /** Replaces the tags and nothing else. @throws BerthError `NoSuchKey` */
  saveTags(
    address: ObjectAddress,
    tags: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void>
  listObjects(query: ListObjects, signal: AbortSignal): Promise<ObjectPage>

  /** Begins an upload in parts and answers its id. */
  createUpload(
    address: ObjectAddress,
    properties: ObjectProperties,
    signal: AbortSignal,
  ): Promise<string>
  /** @throws BerthError `NoSuchUpload` */
  putPart(put: PutPart, signal: AbortSignal): Promise<UploadedPart>
  /** By part number. @throws BerthError `NoSuchUpload` */
  listParts(address: UploadAddress, signal: AbortSignal): Promise<readonly UploadedPart[]>
  /**
   * Repeating it after it succeeded answers the same again while the object is unchanged.
   *
   * @throws BerthError `NoSuchUpload`, `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`, `PreconditionFailed`
   */
  completeUpload(complete: CompleteUpload, signal: AbortSignal): Promise<StoredObject>
  /** @throws BerthError `NoSuchUpload` */
  abortUpload(address: UploadAddress, signal: AbortSignal): Promise<void>
}
