import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { FrameOutbox } from '../../src/wire/frame-outbox.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import type { Frame } from '../../src/wire/frame-reader.ts'
import { until } from './until.ts'

/** A raw end of a frame connection, to say what a gateway never would. */
export class FramesClient implements AsyncDisposable {
  readonly socket: Socket
  readonly outbox = new FrameOutbox()
  readonly frames: Frame[] = []
  readonly closed: Promise<unknown>

  constructor(path: string) {
    this.socket = connect(path)
    this.socket.on('error', () => undefined)
    const reader = new FrameReader(
      () => undefined,
      (frame) => this.frames.push({ ...frame, payload: Buffer.from(frame.payload) }),
    )
    this.socket.on('data', (chunk: Buffer) => reader.read(chunk))
    this.closed = once(this.socket, 'close')
  }

  /** Sends what was put into the outbox. */
  flush(): void {
    for (const buffer of this.outbox.take()) this.socket.write(buffer)
  }

  /** One request with a whole body. */
  request(
    streamId: number,
    body: string,
    given: { orders?: string; timeLeftMs?: number } = {},
  ): void {
    const { orders = '', timeLeftMs = 60_000 } = given
    const headers = {
      'content-type': 'application/json',
      'x-amzn-sagemaker-custom-attributes': orders,
    }
    const bytes = Buffer.from(body)
    this.outbox.request(streamId, { timeLeftMs, bodyBytes: bytes.length, headers }, bytes, true)
  }

  /** Waits for the next frame of a kind on a stream. */
  frame(streamId: number, kind: number): Promise<Frame> {
    return until(`frame ${kind} on stream ${streamId}`, () =>
      this.frames.find((frame) => frame.streamId === streamId && frame.kind === kind),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    await this.closed
  }
}
