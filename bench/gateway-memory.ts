import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Address, addressOfUrl, connectOptions } from './harness/address.ts'
import { BenchBerth, makeDataDir, packageRoot } from './harness/berth.ts'
import { signInvocations } from './harness/invocations.ts'
import { openRequestFile, runLoad } from './harness/load.ts'
import { readMemory } from './harness/memory.ts'
import { formatCount, formatMib, type Section } from './harness/report.ts'
import { ResponseReader } from './harness/response-reader.ts'
import type { BenchOptions } from './harness/scale.ts'

const NAME = 'mlp'
const MODEL = join(packageRoot, 'bench', 'models', 'mlp-64-256-10.onnx')
const LOAD_CONNECTIONS = 64
/** Signatures are good for minutes: the load comes in pieces, each signed anew. */
const PIECE_MS = 30_000
const OPEN_AT_ONCE = 1_000
/** Asked at the same time of those that are open. */
const ASKED_AT_ONCE = 16
/** Memory is looked at so often during the requests: it must not grow by jumps either. */
const PART_COUNT = 4
/** Of the times in /proc: what the C library calls CLK_TCK, 100 a second on every Linux that Node runs on. */
const TICK_US = 10_000
/** Longer than the gateway's own clocks and the collector need to come to rest. */
const SETTLE_MS = 5_000

/**
 * What the gateway's process and the instance's hold after very many requests and connections; it must not grow with
 * either. And the processor time that a request takes of each.
 */
export async function measureGatewayMemory({ scale, show }: BenchOptions): Promise<Section> {
  await using dataDir = await makeDataDir()
  await using berth = await BenchBerth.start(dataDir.path)
  await berth.registerModel(NAME, MODEL)
  await berth.createEndpoint(NAME)
  const rows: string[][] = []
  let warm: readonly number[] | undefined
  const record = async (what: string, costs: readonly string[] = ['–', '–']) => {
    await sleep(SETTLE_MS)
    const found = (await observe(berth)).map(({ residentBytes }) => residentBytes)
    const cells = found.flatMap((bytes, k) => {
      return [formatMib(bytes), formatChange(bytes, warm?.[k]), costs[k] ?? '']
    })
    rows.push([what, ...cells])
    show([what, ...cells].join(' '))
    return found
  }
  const recordRequests = async (wanted: number, what: string) => {
    const before = await observe(berth)
    const count = await sendRequests(berth, wanted)
    const after = await observe(berth)
    const costs = after.map((each, k) => formatCost(each.cpuUs, before[k]?.cpuUs, count))
    return await record(`${formatCount(count)} ${what}`, costs)
  }
  await record('started')
  warm = await recordRequests(scale.memoryRequestCount / 10, 'requests (warm)')
  for (let part = 1; part <= PART_COUNT; part += 1) {
    await recordRequests(scale.memoryRequestCount / PART_COUNT, 'more requests')
  }
  const connectionCount = await comeAndGo(berth, scale.memoryConnectionCount)
  await record(`${formatCount(connectionCount)} connections that came and went`)
  const columnsOf = (name: string) => [name, 'against warm', 'µs a request']
  return {
    title: 'Gateway and instance: memory after a long day',
    text: `Resident memory of the gateway's process and of the instance's, ${SETTLE_MS / 1000} s after each step, and their processor time; ${LOAD_CONNECTIONS} connections for the requests, ${formatCount(OPEN_AT_ONCE)} at a time for those that come and go, one request on each. Target for both: flat within 10 % of when they were warm.`,
    tables: [{ columns: ['After', ...columnsOf('Gateway'), ...columnsOf('Instance')], rows }],
  }
}

/** The gateways', then the instances': what they hold, and the processor time they have taken, where the system tells. */
async function observe(berth: BenchBerth) {
  const { gateways, instances } = await berth.describePlatform()
  return [gateways, instances].map((processes) => {
    const pids = processes.map(({ pid }) => pid)
    return { ...readMemory(pids), cpuUs: sumOf(pids.map(readCpuUs)) }
  })
}

function readCpuUs(pid: number): number {
  try {
    // Behind the name, which may hold anything but ends with the last bracket: state is field 3, user and system time
    // are fields 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * TICK_US
  } catch {
    return NaN
  }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

function formatCost(afterUs: number, beforeUs: number | undefined, requestCount: number): string {
  const costUs = (afterUs - (beforeUs ?? NaN)) / requestCount
  return Number.isNaN(costUs) ? '–' : costUs.toFixed(1)
}

function formatChange(bytes: number, warmBytes: number | undefined): string {
  if (warmBytes === undefined) return '–'
  const percent = 100 * (bytes / warmBytes - 1)
  return `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`
}

/** @returns how many were sent: at least as many as wanted. */
async function sendRequests(berth: BenchBerth, wanted: number): Promise<number> {
  let count = 0
  while (count < wanted) {
    using file = openRequestFile(await signInvocations(berth, NAME))
    const result = await runLoad({
      address: addressOfUrl(berth.running.url),
      requestsPath: file.path,
      connectionCount: LOAD_CONNECTIONS,
      stopAfter: { kind: 'duration', warmMs: 0, measuredMs: Math.min(PIECE_MS, wanted / 10) },
    })
    count += result.requestCount
  }
  return count
}

/** Opens connections by the thousand, asks once on each, closes them, until as many as wanted have come and gone. */
async function comeAndGo(berth: BenchBerth, wanted: number): Promise<number> {
  const address = addressOfUrl(berth.running.url)
  let count = 0
  while (count < wanted) {
    const requests = await signInvocations(berth, NAME)
    const sockets = await Promise.all(Array.from({ length: OPEN_AT_ONCE }, () => open(address)))
    for (let first = 0; first < sockets.length; first += ASKED_AT_ONCE) {
      const some = sockets.slice(first, first + ASKED_AT_ONCE)
      await Promise.all(some.map((socket, k) => askOn(socket, requests[k] ?? Buffer.alloc(0))))
    }
    for (const socket of sockets) socket.destroy()
    count += sockets.length
  }
  return count
}

async function open(address: Address): Promise<Socket> {
  const socket = connect(connectOptions(address))
  await once(socket, 'connect')
  return socket
}

async function askOn(socket: Socket, request: Buffer): Promise<void> {
  const reader = new ResponseReader()
  socket.write(request)
  while (true) {
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    const response = reader.read(bytes)
    if (response === undefined) continue
    if (response.status === 200) return
    throw new Error(`The gateway answered ${response.status}.`)
  }
}
