import type { LogFields } from '../../log.ts'
import type { ExitReason } from '../../start-failure.ts'
import type { ModelFiles } from '../../onnx/find-model.ts'
import type { ModelReply, ModelRequest } from '../../onnx/model-call.ts'

/** What a host thread is started with. */
export interface ModelHostData {
  readonly isBatching: boolean
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Its own socket for frames; undefined where the server listens on a port. */
  readonly framesPath: string | undefined
  /** Counts the invocations that came by frames, for the main thread to see that the server is used. */
  readonly usedCount: Int32Array<SharedArrayBuffer>
}

/** To a host thread. */
export type ToModelHost =
  | { readonly kind: 'load'; readonly modelId: string; readonly files: ModelFiles }
  /** Answered when what it runs is done and its memory is given back. */
  | { readonly kind: 'unload'; readonly modelId: string }
  | {
      readonly kind: 'invoke'
      readonly id: number
      readonly modelId: string
      readonly request: ModelRequest
    }
  | { readonly kind: 'cancel'; readonly id: number; readonly modelId: string }
  /** Take no more frames; say so when what came by frames has been answered. */
  | { readonly kind: 'drain' }

/** From a host thread. */
export type FromModelHost =
  /** It takes frames. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'loaded'; readonly modelId: string; readonly signature: string }
  | {
      readonly kind: 'failed'
      readonly modelId: string
      readonly reason: ExitReason
      readonly message: string
    }
  | { readonly kind: 'unloaded'; readonly modelId: string }
  | { readonly kind: 'reply'; readonly id: number; readonly reply: ModelReply }
  | { readonly kind: 'note'; readonly event: string; readonly fields: LogFields }
  | { readonly kind: 'drained' }
