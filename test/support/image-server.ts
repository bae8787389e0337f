import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { Agent, request } from 'undici'

import { until } from './until.ts'

const MAIN = join(import.meta.dirname, '../../src/modelserver/main.ts')

/** What a model server of a built-in image is started with. */
export interface ImageServerOptions {
  /** Files of the model folder. */
  readonly files: Readonly<Record<string, string | Buffer>>
  readonly environment?: Readonly<Record<string, string>>
  readonly arguments?: readonly string[]
}

const CHUNKS_KEPT = 200

interface Ask {
  readonly type?: string
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A model server of one image in a process of its own, over a model folder of its own. */
export class ImageServer {
  #chunks: string[] = []
  outputBytes = 0
  readonly folder = mkdtempSync(join(tmpdir(), 'berth-image-'))
  readonly #child
  readonly #agent: Agent
  readonly #ended: Promise<unknown>

  constructor(image: string, { files, environment, arguments: args = [] }: ImageServerOptions) {
    const model = join(this.folder, 'model')
    mkdirSync(model)
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(model, name)), { recursive: true })
      writeFileSync(join(model, name), content)
    }
    const socketPath = join(this.folder, '0.sock')
    const flags = [`--image=${image}`, `--model-directory=${model}`, `--socket=${socketPath}`]
    const installed = join(this.folder, 'environments')
    const own = [`--environments-directory=${installed}`, `--packages-directory=${installed}`]
    const { PATH, NODE_COMPILE_CACHE } = process.env
    this.#child = spawn(process.execPath, [MAIN, ...flags, ...own, ...args], {
      env: { PATH, NODE_COMPILE_CACHE, HOME: this.folder, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.outputBytes += chunk.length
        this.#chunks.push(chunk.toString())
        if (this.#chunks.length > CHUNKS_KEPT) this.#chunks.shift()
      })
    }
    this.#ended = once(this.#child, 'close')
    this.#agent = new Agent({ connect: { socketPath }, headersTimeout: 120_000 })
  }

  /** The end of what it and its workers have printed. */
  get output(): string {
    return this.#chunks.join('')
  }

  get exitCode(): number | null {
    return this.#child.exitCode
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The last line that it printed: why it ended. */
  get lastLine(): string {
    return this.output.trimEnd().split('\n').at(-1) ?? ''
  }

  ready(timeoutMs = 60_000): Promise<boolean> {
    const isReady = async (): Promise<boolean> => {
      if (this.exitCode !== null) throw new Error(`It ended: ${this.output}`)
      return (await this.ping()) === 200
    }
    return until('a good ping', isReady, timeoutMs)
  }

  ping(): Promise<number> {
    return request('http://container/ping', { dispatcher: this.#agent }).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode
      },
      () => 0,
    )
  }

  async open(body: string | Buffer, ask: Ask = {}) {
    const { type = 'application/json', accept, headers, signal } = ask
    return await request('http://container/invocations', {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { 'content-type': type, ...(accept !== undefined && { accept }), ...headers },
      body,
      ...(signal !== undefined && { signal }),
    })
  }

  async ask(body: string | Buffer, ask: Ask = {}) {
    const reply = await this.open(body, ask)
    const bytes = Buffer.from(await reply.body.arrayBuffer())
    return { status: reply.statusCode, headers: reply.headers, bytes, text: bytes.toString() }
  }

  async ended(): Promise<number | null> {
    await this.#ended
    return this.exitCode
  }

  terminate(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.ended()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
    await this.#agent.destroy()
    // What was killed a moment ago may still finish a write.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 })
  }
}
