import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { programPath } from '../../src/platform/program.ts'
import type { Address } from './address.ts'

const HOST = '127.0.0.1'

/** `berth model-server` on a free port, over a model repository. */
export class TritonProcess implements AsyncDisposable {
  readonly address: Address
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.address = { kind: 'tcp', host: HOST, port }
  }

  /** @returns when it has loaded everything. @throws Error it ended instead. */
  static async start(repository: string): Promise<TritonProcess> {
    const flags = ['--http-port=0', '--allow-grpc=false', '--allow-metrics=false']
    const child = spawn(
      process.execPath,
      [
        programPath('modelserver/triton/main'),
        `--model-repository=${repository}`,
        `--http-address=${HOST}`,
        ...flags,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let port = 0
    createInterface({ input: child.stderr }).on('line', (line) => {
      const [, bound] = /^Started HTTPService at \S+:(\d+)$/.exec(line) ?? []
      if (bound === undefined) process.stderr.write(`${line}\n`)
      else port = Number(bound)
    })
    const ready = Promise.withResolvers<void>()
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('"model server ready"')) ready.resolve()
    })
    child.once('exit', (code) => ready.reject(new Error(`The model server ended with ${code}.`)))
    await ready.promise
    return new TritonProcess(child, port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exited
  }
}
