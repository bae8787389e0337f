import { Socket } from 'node:net'
import { Admission } from '../src/gateway/admission.ts'
import { Authenticator } from '../src/gateway/authenticate.ts'
import { BodyBudget } from '../src/gateway/body-budget.ts'
import { Connections } from '../src/gateway/connections.ts'
import { Front } from '../src/gateway/front/front.ts'
import { DEFAULT_LIMITS } from '../src/gateway/limits.ts'
import type { GatewayLimits } from '../src/gateway/limits.ts'
import { serveInvocation } from '../src/gateway/serve-invocation.ts'
import type { ServeInvocationDeps } from '../src/gateway/serve-invocation.ts'
import { ModelDirectory } from '../src/gateway/models/model-directory.ts'
import { ModelLanes } from '../src/gateway/models/model-lanes.ts'
import { InvocationStats } from '../src/gateway/stats.ts'
import type { Call, CallReceiver, ContainerRequest, Transport } from '../src/gateway/transport.ts'
import { Turns } from '../src/gateway/turns.ts'
import { systemClock } from '../src/platform/clock.ts'
import { plainInvocations } from './harness/invocations.ts'
import type { Section } from './harness/report.ts'
import { signRequests } from './harness/requests.ts'
import type { BenchOptions } from './harness/scale.ts'
import { median, range } from './harness/stats.ts'

const CONNECTION_COUNT = 64
const TURNS_PER_ROUND = 150
// The first rounds are the compiler's.
const WARM_ROUNDS = 3
const ROUNDS_PER_ROUND = 5
const REPLY = Buffer.from(
  JSON.stringify({ predictions: [Array.from({ length: 10 }, (_, i) => i / 7)] }),
)
const REPLY_HEADERS = { 'content-type': 'application/json', 'content-length': `${REPLY.length}` }
const AT = { region: 'us-east-1', accountId: '000000000000' }
const KEY = { accessKeyId: 'AKIDEXAMPLEEXAMPLE01', secretAccessKey: 'a secret of the bench' }
const ROUTE = {
  endpointName: 'mlp',
  variants: [
    {
      variantName: 'AllTraffic',
      weight: 1,
      routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
      containerHostname: 'primary',
      instances: [{ instanceId: 'i', address: { kind: 'socket', path: '/none' } }],
    },
  ],
} as const

/** What the gateway's own code takes for one invocation, from the bytes read to the bytes written: no sockets, no frames. */
export async function measureGatewayStory({ scale, show }: BenchOptions): Promise<Section> {
  const requests = await signRequests(
    { kind: 'tcp', host: '127.0.0.1', port: 7070 },
    plainInvocations('/endpoints/mlp/invocations'),
    { ...KEY, region: AT.region, service: 'sagemaker' },
  )
  const world = new World(requests)
  const us: number[] = []
  for (let round = 0; round < WARM_ROUNDS + ROUNDS_PER_ROUND * scale.roundCount; round += 1) {
    show(`round ${round + 1}`)
    const took = await world.runRound()
    if (round >= WARM_ROUNDS) us.push(took)
  }
  const [least, most] = range(us)
  return {
    title: 'Gateway: its own code',
    text: `Processor time of all threads for one invocation, signature included, from the bytes that were read to the bytes to be written: sockets and frames are stood in for. ${CONNECTION_COUNT} connections; rounds of ${TURNS_PER_ROUND * CONNECTION_COUNT}.`,
    tables: [
      {
        columns: ['median', 'range'],
        rows: [[formatUs(median(us)), `${formatUs(least)} – ${formatUs(most)}`]],
      },
    ],
  }
}

function formatUs(us: number): string {
  return `${us.toFixed(1)} µs`
}

class World {
  readonly #requests: readonly Buffer[]
  readonly #transport = new LateTransport()
  readonly #sockets: readonly SilentSocket[]
  #at = 0

  constructor(requests: readonly Buffer[]) {
    this.#requests = requests
    const deps = createDeps(this.#transport)
    const front = new Front({
      limits: DEFAULT_LIMITS,
      clock: systemClock,
      isStopping: () => false,
      serve: (incoming, destination) => serveInvocation(incoming, destination, deps),
      handOver: () => {
        throw new Error('The front does not read the requests of the bench.')
      },
    })
    this.#sockets = Array.from({ length: CONNECTION_COUNT }, () => {
      const socket = new SilentSocket()
      front.accept(socket)
      return socket
    })
  }

  /** @returns µs of processor time for each invocation. */
  async runRound(): Promise<number> {
    const before = process.cpuUsage()
    const repliesBefore = this.#replyCount()
    for (let turn = 0; turn < TURNS_PER_ROUND; turn += 1) await this.#runTurn()
    const { user, system } = process.cpuUsage(before)
    const replyCount = this.#replyCount() - repliesBefore
    if (replyCount !== TURNS_PER_ROUND * CONNECTION_COUNT) {
      throw new Error(`${replyCount} replies in a round of ${TURNS_PER_ROUND * CONNECTION_COUNT}.`)
    }
    return (user + system) / replyCount
  }

  async #runTurn(): Promise<void> {
    for (const socket of this.#sockets) {
      const request = this.#requests[this.#at++ % this.#requests.length]
      socket.emit('data', Buffer.from(request ?? ''))
    }
    await nextTurn()
    this.#transport.replyToAll()
    await nextTurn()
  }

  #replyCount(): number {
    return this.#sockets.reduce((sum, { writeCount }) => sum + writeCount, 0)
  }
}

function createDeps(transport: Transport): ServeInvocationDeps {
  const limits = DEFAULT_LIMITS
  const { random } = Math
  const admission = new Admission({
    ...limits,
    clock: systemClock,
    random,
    onInstanceFree: () => undefined,
  })
  admission.applyRoute(undefined, ROUTE)
  const connections = new Connections(limits)
  connections.find = () => transport
  return {
    limits,
    admission,
    models: createModels(admission, limits),
    connections,
    authenticator: new Authenticator({ ...AT, ...KEY, sessionKey: Buffer.alloc(32) }, systemClock),
    budget: new BodyBudget(limits.bufferedBytesMax),
    turns: new Turns(),
    stats: new InvocationStats(),
    findEndpoint: () => ROUTE,
    at: AT,
    clock: systemClock,
    random,
    observe: () => undefined,
  }
}

// The route has none: no invocation comes by.
function createModels(admission: Admission, limits: GatewayLimits): ModelLanes {
  const nowMs = (): number => performance.now()
  const directory = new ModelDirectory({ ask: () => undefined, nowMs })
  return new ModelLanes({ ...limits, admission, directory, clock: systemClock, nowMs })
}

/** A container that answers everything when it is told to. */
class LateTransport implements Transport {
  #receivers: CallReceiver[] = []

  call(_request: ContainerRequest, receiver: CallReceiver): Call {
    this.#receivers.push(receiver)
    return { resume: () => undefined, abort: () => undefined }
  }

  replyToAll(): void {
    for (const receiver of this.#receivers.splice(0)) {
      receiver.onHead(200, REPLY_HEADERS)
      receiver.onChunk(REPLY)
      receiver.onEnd()
    }
  }

  close(): void {
    this.#receivers = []
  }

  destroy(): Promise<void> {
    return Promise.resolve()
  }
}

/** A client that reads everything at once. */
class SilentSocket extends Socket {
  writeCount = 0

  override write(): boolean {
    this.writeCount += 1
    return true
  }

  override resume(): this {
    return this
  }

  override pause(): this {
    return this
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
