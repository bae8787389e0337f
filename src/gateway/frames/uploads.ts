import type { FrameOutbox } from '../../wire/frame-outbox.ts'
import type { FrameCall } from './frame-call.ts'

// A longer body goes in parts of this size: at a gigabyte a second, others wait a tenth of a millisecond for one.
const PART_BYTES = 128 * 1024
// Put into the outbox at a time; the socket's own buffer, and so the other side, sets the pace.
const BURST_BYTES = 4 * PART_BYTES

/** Bodies that are longer than one frame, sent part by part in turn. */
export class Uploads {
  readonly #outbox: FrameOutbox
  readonly #calls = new Set<FrameCall>()

  constructor(outbox: FrameOutbox) {
    this.#outbox = outbox
  }

  get hasMore(): boolean {
    return this.#calls.size > 0
  }

  /** Puts the head and the first part into the outbox; the rest follows in turn. @throws FrameError */
  begin(call: FrameCall): void {
    const { headers, body } = call.request
    const isLast = body.length <= PART_BYTES
    const timeLeftMs = call.timeoutMs - (performance.now() - call.startedAtMs)
    const head = { timeLeftMs, bodyBytes: body.length, headers }
    const part = isLast ? body : body.subarray(0, PART_BYTES)
    this.#outbox.request(call.streamId, head, part, isLast)
    call.sentBytes = part.length
    if (!isLast) this.#calls.add(call)
  }

  /** Puts some further parts into the outbox. */
  continue(): void {
    for (let burstBytes = 0; burstBytes < BURST_BYTES; burstBytes += PART_BYTES) {
      const [call] = this.#calls
      if (call === undefined) return
      // To the end of the line, or out of it.
      this.#calls.delete(call)
      const { body } = call.request
      const end = Math.min(body.length, call.sentBytes + PART_BYTES)
      const isLast = end === body.length
      this.#outbox.requestData(call.streamId, body.subarray(call.sentBytes, end), isLast)
      call.sentBytes = end
      if (!isLast) this.#calls.add(call)
    }
  }

  /** @returns whether a part of its body had not been sent. */
  drop(call: FrameCall): boolean {
    return this.#calls.delete(call)
  }
}
