import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { programPath } from '../../src/platform/program.ts'
import type { Address } from './address.ts'

const HOST = '127.0.0.1'

/** `berth model-server` on free ports, over a model repository. */
export class TritonProcess implements AsyncDisposable {
  /** Of HTTP. */
  readonly address: Address
  readonly grpcAddress: Address
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, ports: ReadonlyMap<string, number>) {
    this.#child = child
    const at = (service: string): Address => {
      return { kind: 'tcp', host: HOST, port: ports.get(service) ?? 0 }
    }
    this.address = at('HTTPService')
    this.grpcAddress = at('GRPCInferenceService')
  }

  /** @returns when it has loaded everything. @throws Error it ended instead. */
  static async start(repository: string): Promise<TritonProcess> {
    const flags = ['--http-port=0', '--grpc-port=0', '--allow-metrics=false']
    const child = spawn(
      process.execPath,
      [
        programPath('modelserver/triton/main'),
        `--model-repository=${repository}`,
        `--http-address=${HOST}`,
        `--grpc-address=${HOST}`,
        ...flags,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const ports = new Map<string, number>()
    createInterface({ input: child.stderr }).on('line', (line) => {
      const [, service, port] = /^Started (\w+) at \S+:(\d+)$/.exec(line) ?? []
      if (service === undefined) process.stderr.write(`${line}\n`)
      else ports.set(service, Number(port))
    })
    const ready = Promise.withResolvers<void>()
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('"model server ready"')) ready.resolve()
    })
    child.once('exit', (code) => ready.reject(new Error(`The model server ended with ${code}.`)))
    await ready.promise
    return new TritonProcess(child, ports)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exited
  }
}
