import { frameSocketPath, frameSocketSuffix } from '../../domain/frames-address.ts'
import type { Image } from '../image.ts'
import { listen } from '../listen.ts'
import type { Log } from '../log.ts'
import { FrameServer } from './frame-server.ts'
import { serveImageByFrames } from './image-calls.ts'

/** Where an image takes frames, and how much of them. */
export interface ImageFramesOptions {
  /** Of the HTTP server; frames are taken beside it. Undefined where that listens on a port: then there are none. */
  readonly socketPath: string | undefined
  readonly bodyBytesMax: number
  /** Of all bodies at a time. */
  readonly heldBytesMax: number
  readonly log: Log
}

/** The socket for frames of an image that serves calls one by one. An image whose threads take frames has others. */
export class ImageFrames {
  readonly suffixes: readonly string[]
  readonly #server: FrameServer
  readonly #socketPath: string | undefined

  constructor(image: Image, options: ImageFramesOptions) {
    const { socketPath, bodyBytesMax, heldBytesMax, log } = options
    const suffix = frameSocketSuffix(0)
    this.suffixes = socketPath === undefined ? [] : [suffix]
    this.#socketPath = socketPath === undefined ? undefined : frameSocketPath(socketPath, suffix)
    const onCall = serveImageByFrames(image, log)
    this.#server = new FrameServer({ bodyBytesMax, heldBytesMax, onCall, log })
  }

  get servedCount(): number {
    return this.#server.servedCount
  }

  async listen(): Promise<void> {
    if (this.#socketPath === undefined) return
    await listen(this.#server.server, { socketPath: this.#socketPath })
  }

  /** Takes no more; resolves when those that came have been answered. */
  close(): Promise<void> {
    return this.#server.close()
  }
}
