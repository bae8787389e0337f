import type { Worker } from 'node:worker_threads'
import type { Log } from '../../log.ts'
import type { ModelFiles } from '../../onnx/find-model.ts'
import type { ModelReply, ModelRequest } from '../../onnx/model-call.ts'
import { startThread } from '../../onnx/start-thread.ts'
import { Rejection } from '../../rejection.ts'
import { StartFailure } from '../../start-failure.ts'
import { notLoaded } from '../model-registry.ts'
import type { FromModelHost, ModelHostData, ToModelHost } from './host-messages.ts'
import { modelHostWorkerUrl } from './model-host-worker-url.ts'

const RESTART_DELAY_MS = 100

interface Pending<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

/**
 * One host thread. When it dies what it ran gets 500, its models are gone, and another thread starts without any: they
 * are loaded again when they are asked for.
 */
export class HostSeat {
  readonly index: number
  readonly #data: ModelHostData
  readonly #log: Log
  readonly #loadById = new Map<string, Pending<void>>()
  readonly #unloadById = new Map<string, () => void>()
  readonly #lostById = new Map<string, () => void>()
  readonly #callById = new Map<number, Pending<ModelReply>>()
  readonly #drained = Promise.withResolvers<void>()
  #worker: Worker | undefined
  #isReady = false
  #isClosed = false
  #lastWords = ''
  #lastCallId = 0

  constructor(index: number, data: ModelHostData, log: Log) {
    this.index = index
    this.#data = data
    this.#log = log
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Loaded and on their way. */
  get modelCount(): number {
    return this.#lostById.size
  }

  start(): void {
    const worker = startThread(modelHostWorkerUrl(), this.#data)
    this.#worker = worker
    worker.on('message', (message: FromModelHost) => this.#receive(message))
    worker.on('error', (error: Error) => (this.#lastWords = error.message))
    worker.on('exit', (code) => this.#bury(code))
  }

  /** @throws StartFailure it cannot be served. */
  async load(modelId: string, files: ModelFiles, onLost: () => void): Promise<void> {
    if (!this.#isReady) throw new StartFailure('bug', 'the inference thread is not ready')
    this.#lostById.set(modelId, onLost)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#loadById.set(modelId, { resolve, reject })
        this.#tell({ kind: 'load', modelId, files })
      })
    } catch (error) {
      this.#lostById.delete(modelId)
      throw error
    }
  }

  async unload(modelId: string): Promise<void> {
    if (!this.#lostById.delete(modelId)) return
    await new Promise<void>((resolve) => {
      this.#unloadById.set(modelId, resolve)
      this.#tell({ kind: 'unload', modelId })
    })
  }

  /** @throws Rejection 404: the model is gone; 500: the thread died of it. */
  invoke(modelId: string, request: ModelRequest, signal: AbortSignal): Promise<ModelReply> {
    if (!this.#lostById.has(modelId)) throw notLoaded(modelId)
    this.#lastCallId += 1
    const id = this.#lastCallId
    return new Promise((resolve, reject) => {
      this.#callById.set(id, { resolve, reject })
      const cancel = (): void => {
        this.#tell({ kind: 'cancel', id, modelId })
        reject(new Error('The client left before its answer.'))
      }
      signal.addEventListener('abort', cancel, { once: true })
      this.#tell({ kind: 'invoke', id, modelId, request })
    })
  }

  /** Takes no more frames; resolves when those that came have been answered. */
  async drain(): Promise<void> {
    if (!this.#isReady) return
    this.#tell({ kind: 'drain' })
    await this.#drained.promise
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#worker?.terminate()
  }

  #tell(message: ToModelHost): void {
    this.#worker?.postMessage(message)
  }

  #receive(message: FromModelHost): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true
        break
      case 'loaded': {
        const { modelId, signature } = message
        this.#log('info', 'model loaded', { modelId, signature })
        this.#loadById.get(modelId)?.resolve()
        this.#loadById.delete(modelId)
        break
      }
      case 'failed':
        this.#loadById
          .get(message.modelId)
          ?.reject(new StartFailure(message.reason, message.message))
        this.#loadById.delete(message.modelId)
        break
      case 'unloaded':
        this.#unloadById.get(message.modelId)?.()
        this.#unloadById.delete(message.modelId)
        break
      case 'reply':
        this.#callById.get(message.id)?.resolve(message.reply)
        this.#callById.delete(message.id)
        break
      case 'note':
        this.#log('info', message.event, message.fields)
        break
      case 'drained':
        this.#drained.resolve()
        break
    }
  }

  #bury(code: number): void {
    const reason = this.#lastWords === '' ? `exit code ${code}` : this.#lastWords
    this.#worker = undefined
    this.#isReady = false
    this.#lastWords = ''
    this.#drained.resolve()
    for (const { reject } of this.#loadById.values()) {
      reject(new StartFailure('bug', `the inference thread died while it loaded: ${reason}`))
    }
    for (const { reject } of this.#callById.values()) {
      reject(new Rejection(500, `The inference thread died of this invocation: ${reason}.`))
    }
    for (const resolve of this.#unloadById.values()) resolve()
    for (const tellLost of this.#lostById.values()) tellLost()
    for (const map of [this.#loadById, this.#callById, this.#unloadById, this.#lostById]) {
      map.clear()
    }
    if (this.#isClosed) return
    this.#log('error', 'inference thread died', { reason, delayMs: RESTART_DELAY_MS })
    setTimeout(() => {
      if (!this.#isClosed) this.start()
    }, RESTART_DELAY_MS).unref()
  }
}
