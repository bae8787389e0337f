import type { Buffer } from 'node:buffer'
import type { IncomingHttpHeaders } from 'node:http'

/** One model of a container that serves many. */
export interface ModelAtContainer {
  readonly modelId: string
  /** The worker of a built-in image that has it; absent where the container does not say. */
  readonly seat?: number
}

/** What an instance is asked. */
export interface ContainerRequest {
  /** Absent where the container serves one model. */
  readonly model?: ModelAtContainer | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Longest reply that is passed on; infinite for streams. */
  readonly replyBytesMax: number
  /** Where the deadline moves when the reply begins, counted from its start; undefined when it stays. */
  readonly streamTimeoutMs: number | undefined
}

/** How a call ended before its reply was whole. */
export type CallFailure =
  /** No connection, or it was told that it comes too late: the container knows nothing of the invocation. */
  | 'refused'
  /** The connection broke. */
  | 'reset'
  /** What came is not a reply. */
  | 'malformed'
  /** The container has too many invocations waiting and did not take this one. */
  | 'overloaded'
  /** The container saw that nobody would wait for the reply any more, and did not run it. */
  | 'expired'

/** Hears how a call goes: a head, chunks, the end; or a failure at any point. Nothing comes after end or failure. */
export interface CallReceiver {
  onHead(statusCode: number, headers: IncomingHttpHeaders): void
  /** @returns false when no more is wanted until {@link Call.resume}. */
  onChunk(chunk: Buffer): boolean
  onEnd(): void
  onFailure(failure: CallFailure, detail: string): void
}

/** One invocation under way to one instance. */
export interface Call {
  /** More chunks are wanted, after `onChunk` returned false. */
  resume(): void
  /** Nobody waits any more: the container is told. The receiver hears nothing further. */
  abort(): void
}

/** How invocations reach one instance. */
export interface Transport {
  /** Sends one invocation; the receiver may hear of it before this returns. Never throws. */
  call(request: ContainerRequest, receiver: CallReceiver, timeoutMs: number): Call
  /** Takes no more invocations; ends when those under way have. */
  close(): void
  /** Drops everything. */
  destroy(): Promise<void>
}
