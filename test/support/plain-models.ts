import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'

import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { createModelContainer } from '../../src/adapters/model-container/model-container.ts'
import { InstanceModels } from '../../src/controllers/models/instance-models.ts'
import { GatewayStatements } from '../../src/controllers/models/gateway-statements.ts'
import type { ModelEvent } from '../../src/controllers/models/model-instance.ts'
import { ModelStock } from '../../src/controllers/models/model-stock.ts'
import { BerthError } from '../../src/domain/errors.ts'
import type { ModelAsk } from '../../src/domain/multi-model/model-messages.ts'
import { parseModelSettings } from '../../src/domain/multi-model/settings.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { GatewayWorld, variant } from './gateway-world.ts'
import { unboundedDisk } from './unbounded-disk.ts'

const PROGRAM = join(import.meta.dirname, '../fixtures/multi-model-container.ts')
const PREFIX = 's3://models/plain/'
const ENDPOINT = 'plain'
const INSTANCE = 'i1'

/** What the container of {@link PlainModels} is told. */
export interface PlainModelsOptions {
  /** Of the container's process. */
  readonly environment?: Readonly<Record<string, string>>
  /** Of the container's definition: Berth's settings. */
  readonly settings?: Readonly<Record<string, string>>
}

/**
 * A multi-model endpoint whose only instance is a container as somebody else writes them: a process that speaks plain HTTP.
 * Gateway, link and the owner of its models are the product's own; a model is a folder with its name in it.
 */
export class PlainModels implements AsyncDisposable {
  readonly world: GatewayWorld
  readonly models: InstanceModels
  readonly events: ModelEvent[] = []
  readonly stock: ModelStock
  /** What the store has under a name, where that is not the name itself. */
  readonly contentByName = new Map<string, string>()
  readonly #child: ChildProcess
  readonly #socketPath: string
  readonly #endListening: () => void
  readonly #statements: GatewayStatements

  private constructor(
    world: GatewayWorld,
    child: ChildProcess,
    socketPath: string,
    { settings = {} }: PlainModelsOptions,
  ) {
    this.world = world
    this.#child = child
    this.#socketPath = socketPath
    const instance = {
      endpointName: ENDPOINT,
      variantName: 'v',
      fleetId: 'f',
      instanceId: INSTANCE,
      pid: undefined,
      address: { kind: 'socket', path: socketPath },
      prefixUrl: PREFIX,
      isCaching: true,
      settings: parseModelSettings(settings).settings,
      memoryBytesMax: Infinity,
      loadsMax: 2,
    } as const
    const { link, paths } = world
    const time = {
      nowMs: () => performance.now(),
      sleep: (ms: number, signal: AbortSignal) => systemClock.sleep(ms, signal),
    }
    this.#statements = new GatewayStatements({ link, ...time })
    this.stock = new ModelStock({
      disk: unboundedDisk(({ url }) => this.#makeModel(paths.dataDir, url)),
      bytesMax: Infinity,
      contentHashesLoaded: () => new Set(),
      onRemoved: () => undefined,
      nowMs: () => performance.now(),
    })
    this.models = new InstanceModels(instance, {
      container: createModelContainer(),
      stock: this.stock,
      measureBytes: () => Promise.resolve(undefined),
      connectedGatewayIds: () => link.connectedGatewayIds(),
      tell: (gatewayId, news) => link.tell(gatewayId, news),
      tellAll: (news) => link.tellAll(news),
      recordEvent: (event) => this.events.push(event),
      held: this.#statements,
      // Nothing ends its process but the end of the test.
      heldBack: {
        find: () => undefined,
        list: () => [],
        untilJudged: () => Promise.resolve(),
        recordServing: () => undefined,
      },
      recordTime: () => undefined,
      ...time,
    })
    this.#endListening = link.listen({
      onGateway: (gatewayId) => {
        link.tell(gatewayId, { kind: 'models-asked' })
        this.models.welcome(gatewayId)
      },
      onGatewayLost: (gatewayId) => {
        this.#statements.recordLost(gatewayId)
        this.models.recordLost(gatewayId)
      },
      onAsk: (gatewayId, ask) => this.#hear(gatewayId, ask),
    })
  }

  /** Starts it; the gateway has the route. */
  static async start(options: PlainModelsOptions = {}): Promise<PlainModels> {
    const world = await GatewayWorld.start()
    const socketPath = join(world.paths.run, `${INSTANCE}.sock`)
    const child = spawn(process.execPath, [PROGRAM, socketPath], {
      env: { ...process.env, ...options.environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const plain = new PlainModels(world, child, socketPath, options)
    await plain.models.start()
    const address = { kind: 'socket', path: socketPath } as const
    const multiModel = { isCaching: true }
    await world.route(ENDPOINT, [variant('v', [{ instanceId: INSTANCE, address }], { multiModel })])
    return plain
  }

  /** What the model answers; it should be its own name. */
  async invoke(targetModel: string): Promise<unknown> {
    const { Body } = await this.world
      .client()
      .send(
        new InvokeEndpointCommand({ EndpointName: ENDPOINT, TargetModel: targetModel, Body: '1' }),
      )
    return JSON.parse(Body.transformToString())
  }

  /** Another instance of the prefix has looked at the store again. */
  async refetch(targetModel: string): Promise<void> {
    using _files = await this.stock.refetch(PREFIX, targetModel, {
      signal: new AbortController().signal,
    })
  }

  /** A call at the container itself, past Berth. */
  async askContainer(method: 'GET' | 'POST', path: string): Promise<unknown> {
    const asking = request({ socketPath: this.#socketPath, method, path }).end()
    const [reply] = (await once(asking, 'response')) as [AsyncIterable<Buffer>]
    const chunks: Buffer[] = []
    for await (const chunk of reply) chunks.push(chunk)
    return JSON.parse(Buffer.concat(chunks).toString())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endListening()
    this.models.close()
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
    await this.world[Symbol.asyncDispose]()
  }

  #hear(gatewayId: string, ask: ModelAsk): void {
    switch (ask.kind) {
      case 'model-wanted':
        this.models.want(gatewayId, ask)
        break
      case 'models-held':
        this.#statements.record(gatewayId, ask.models)
        break
      case 'models-used':
        this.models.recordUses(ask.uses[INSTANCE] ?? {})
        break
      case 'model-released':
        this.models.recordReleased(gatewayId, ask)
        break
      case 'models-cut':
        break
      case 'model-done':
        void this.models.done(ask.modelId)
        break
    }
  }

  async #makeModel(dataDir: string, url: string) {
    const name = url.slice(PREFIX.length)
    if (name.startsWith('missing')) {
      throw new BerthError('ValidationException', 'Failed to download')
    }
    const content = this.contentByName.get(name) ?? name
    const directory = join(dataDir, 'plain', content)
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'name.txt'), content)
    return { directory, contentHash: content, bytes: content.length }
  }
}
