const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
const EMPTY = Buffer.alloc(0)

/** One complete HTTP/1.1 response. */
export interface Response {
  readonly status: number
  /** Whole message, head included; only for the message of a failure. */
  readonly bytes: Buffer
}

/**
 * Cuts the bytes of one connection into responses. Knows `content-length` and chunked bodies, no pipelining of more than
 * what it is asked for: enough for a closed loop, and cheap where a response comes in one piece.
 */
export class ResponseReader {
  #pending: Buffer = EMPTY

  /** @returns the response these bytes complete, or undefined if more are needed. */
  read(bytes: Buffer): Response | undefined {
    const all = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    const headEnd = all.indexOf(HEAD_END)
    const end = headEnd === -1 ? undefined : findEnd(all, headEnd)
    if (end === undefined || end > all.length) {
      this.#pending = all
      return undefined
    }
    this.#pending = all.subarray(end)
    return { status: Number(all.toString('latin1', 9, 12)), bytes: all.subarray(0, end) }
  }
}

function findEnd(bytes: Buffer, headEnd: number): number | undefined {
  const head = bytes.toString('latin1', 0, headEnd)
  const bodyStart = headEnd + HEAD_END.length
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (length !== null) return bodyStart + Number(length[1])
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return findChunkedEnd(bytes, bodyStart)
  throw new Error(`A response without length:\n${head}`)
}

function findChunkedEnd(bytes: Buffer, bodyStart: number): number | undefined {
  let at = bodyStart
  while (true) {
    const lineEnd = bytes.indexOf(LINE_END, at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    const next = lineEnd + LINE_END.length + size + LINE_END.length
    if (next > bytes.length) return undefined
    if (size === 0) return next
    at = next
  }
}
