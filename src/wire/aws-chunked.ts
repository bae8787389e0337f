import type { StreamingPayload } from './auth-types.ts'
import { ChunkSigner } from './aws-chunked-signer.ts'

/** S3's codes for a body that does not arrive as announced. */
export type BodyErrorCode =
  'IncompleteBody' | 'InvalidChunkSizeError' | 'MalformedTrailerError' | 'SignatureDoesNotMatch'

const BODY_ERROR_STATUS: Readonly<Record<BodyErrorCode, number>> = {
  IncompleteBody: 400,
  InvalidChunkSizeError: 400,
  MalformedTrailerError: 400,
  SignatureDoesNotMatch: 403,
}

/** A body that does not arrive as announced. What was decoded so far must be thrown away. */
export class BodyError extends Error {
  readonly code: BodyErrorCode
  readonly httpStatus: number

  constructor(code: BodyErrorCode, message: string) {
    super(message)
    this.name = code
    this.code = code
    this.httpStatus = BODY_ERROR_STATUS[code]
  }
}

/** What the request's head says about an aws-chunked body. */
export interface ChunkedBody {
  readonly payload: StreamingPayload
  /** `x-amz-decoded-content-length`; undefined when the client gave none. */
  readonly decodedBytes: number | undefined
  /** Lower-case names of `x-amz-trailer`; a trailer that was not announced is refused. */
  readonly trailerNames: readonly string[]
}

// A chunk header is a size and a signature: 16 + 1 + 16 + 64 characters.
const LINE_BYTES_MAX = 256
const TRAILER_BYTES_MAX = 8192
const CHUNK_BYTES_MAX = 5 * 1024 ** 3
const LF = 10
const NOTHING = Buffer.alloc(0)

/**
 * Decodes an aws-chunked body piece by piece.
 *
 * A state machine over lines and bytes: `size` line → `bytes` of the chunk → its `end` (an empty line) → … → a size
 * of 0 → `trailer` lines until an empty one → `done`. Decoded bytes come out before their chunk's signature is
 * verified, so that a chunk need not be held in memory: use them only after {@link finish}.
 *
 * Source: data-plane reference §18.4; S3 API reference, Signature Version 4 with chunked upload.
 */
export class AwsChunkedDecoder {
  readonly #body: ChunkedBody
  readonly #signer: ChunkSigner | undefined
  readonly #trailers = new Map<string, string>()
  #state: 'size' | 'bytes' | 'end' | 'trailer' | 'done' = 'size'
  #line = NOTHING
  #missingBytes = 0
  #decodedBytes = 0
  #trailerBytes = 0
  #signature = ''

  constructor(body: ChunkedBody) {
    this.#body = body
    this.#signer = body.payload.signed ? new ChunkSigner(body.payload) : undefined
  }

  /**
   * Takes the next piece of the raw body and gives the decoded bytes in it.
   *
   * @throws BodyError: the framing, a size or a signature is wrong.
   */
  push(piece: Uint8Array): readonly Uint8Array[] {
    const decoded: Uint8Array[] = []
    let rest = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    while (rest.length > 0) {
      if (this.#state === 'done')
        throw new BodyError('IncompleteBody', 'Bytes follow the last chunk.')
      if (this.#state === 'bytes') {
        const bytes = rest.subarray(0, this.#missingBytes)
        rest = rest.subarray(bytes.length)
        this.#takeBytes(bytes)
        decoded.push(bytes)
      } else rest = this.#takeLine(rest)
    }
    return decoded
  }

  /**
   * Ends the body.
   *
   * @returns the trailers by lower-case name, without the signature.
   * @throws BodyError `IncompleteBody`: bytes are missing, or an announced trailer.
   */
  finish(): ReadonlyMap<string, string> {
    const { decodedBytes, trailerNames } = this.#body
    if (this.#state !== 'done') {
      throw new BodyError('IncompleteBody', 'The body ended before its last chunk.')
    }
    if (decodedBytes !== undefined && decodedBytes !== this.#decodedBytes) {
      throw new BodyError(
        'IncompleteBody',
        `You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header: ${this.#decodedBytes} of ${decodedBytes}.`,
      )
    }
    const missing = trailerNames.find((name) => !this.#trailers.has(name))
    if (missing !== undefined) {
      throw new BodyError(
        'MalformedTrailerError',
        `The announced trailer ${missing} did not arrive.`,
      )
    }
    return this.#trailers
  }

  #takeBytes(bytes: Uint8Array): void {
    this.#missingBytes -= bytes.length
    this.#decodedBytes += bytes.length
    this.#signer?.update(bytes)
    if (this.#missingBytes === 0) this.#state = 'end'
  }

  // Lines may be cut anywhere between two pieces; what has arrived of one is kept in #line.
  #takeLine(rest: Buffer): Buffer {
    const end = rest.indexOf(LF)
    const part = end < 0 ? rest : rest.subarray(0, end + 1)
    const line = Buffer.concat([this.#line, part])
    if (line.length > (this.#state === 'trailer' ? TRAILER_BYTES_MAX : LINE_BYTES_MAX)) {
      throw new BodyError('IncompleteBody', 'A chunk header or trailer is too long.')
    }
    if (end < 0) {
      this.#line = line
      return NOTHING
    }
    this.#line = NOTHING
    if (line.length < 2 || line[line.length - 2] !== 13) {
      throw new BodyError('IncompleteBody', 'A chunk header or trailer must end with CR LF.')
    }
    this.#readLine(line.toString('latin1', 0, line.length - 2))
    return rest.subarray(end + 1)
  }

  #readLine(line: string): void {
    if (this.#state === 'size') this.#readSize(line)
    else if (this.#state === 'end') this.#endChunk(line)
    else this.#readTrailer(line)
  }

  #readSize(line: string): void {
    const match = /^([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line)
    const sizeText = match?.[1]
    if (sizeText === undefined)
      throw new BodyError('IncompleteBody', 'A chunk header is malformed.')
    this.#signature = match?.[2] ?? ''
    if ((this.#signature === '') !== (this.#signer === undefined)) {
      throw this.#signer === undefined
        ? new BodyError('IncompleteBody', 'A chunk of an unsigned body carries a signature.')
        : mismatch()
    }
    this.#missingBytes = Number.parseInt(sizeText, 16)
    const announced = this.#body.decodedBytes ?? Number.POSITIVE_INFINITY
    if (
      this.#missingBytes > CHUNK_BYTES_MAX ||
      this.#decodedBytes + this.#missingBytes > announced
    ) {
      throw new BodyError('InvalidChunkSizeError', 'The chunks are larger than the announced body.')
    }
    if (this.#missingBytes > 0) this.#state = 'bytes'
    else this.#startTrailer()
  }

  #endChunk(line: string): void {
    if (line !== '')
      throw new BodyError('IncompleteBody', 'A chunk is longer than its header says.')
    this.#verifyChunk()
    this.#state = 'size'
  }

  #startTrailer(): void {
    this.#verifyChunk()
    this.#state = 'trailer'
  }

  #verifyChunk(): void {
    if (this.#signer?.verifyChunk(this.#signature) === false) throw mismatch()
  }

  #readTrailer(line: string): void {
    if (line === '') {
      this.#endTrailer()
      return
    }
    this.#trailerBytes += line.length
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase()
    const isExpected =
      this.#body.trailerNames.includes(name) ||
      (name === 'x-amz-trailer-signature' && this.#signer !== undefined)
    const isAllowed = this.#body.payload.trailer && isExpected && !this.#trailers.has(name)
    if (!isAllowed || this.#trailerBytes > TRAILER_BYTES_MAX) {
      throw new BodyError(
        'MalformedTrailerError',
        'The request contained trailing data that was not well-formed or did not conform to our published schema.',
      )
    }
    this.#trailers.set(name, line.slice(colon + 1).trim())
  }

  #endTrailer(): void {
    const signature = this.#trailers.get('x-amz-trailer-signature')
    this.#trailers.delete('x-amz-trailer-signature')
    this.#state = 'done'
    if (this.#signer === undefined || !this.#body.payload.trailer) return
    const lines = [...this.#trailers].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const text = lines.map(([name, value]) => `${name}:${value}\n`).join('')
    if (signature === undefined || !this.#signer.verifyTrailer(text, signature)) throw mismatch()
  }
}

/**
 * Decodes a whole aws-chunked stream; `onTrailers` is called once, after everything was verified.
 *
 * @throws BodyError: see {@link AwsChunkedDecoder}.
 */
export async function* decodeAwsChunked(
  source: AsyncIterable<Uint8Array>,
  body: ChunkedBody,
  onTrailers: (trailers: ReadonlyMap<string, string>) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new AwsChunkedDecoder(body)
  for await (const piece of source) yield* decoder.push(piece)
  onTrailers(decoder.finish())
}

function mismatch(): BodyError {
  return new BodyError(
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  )
}
