import type { ModelFiles } from './find-model.ts'

/** What a worker is started with. */
export interface InferenceWorkerData {
  readonly files: ModelFiles
  readonly isBatching: boolean
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Its own socket for frames; undefined where the server listens on a port. */
  readonly framesPath: string | undefined
  /** Counts the invocations that came by frames, for the main thread to see that the server is used. */
  readonly usedCount: Int32Array<SharedArrayBuffer>
}
