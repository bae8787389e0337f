import { execFile, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { addressOfUrl } from '../harness/address.ts'
import { packageRoot } from '../harness/berth.ts'
import { ProcessTree } from '../harness/process-tree.ts'
import { encodeRequests } from '../harness/requests.ts'
import { makeRows } from '../harness/rows.ts'
import type { BenchModel, Contestant, RunningServer } from './contestant.ts'
import { ensureEnvironment, Unavailable } from './environments.ts'
import type { Peer } from './peers.ts'

const SERVERS = join(packageRoot, 'bench', 'peers', 'servers')
const STOP_DEADLINE_MS = 12_000
const LOG_TAIL = 600

/** @throws Unavailable if it cannot be installed here. */
export async function peerContestant(
  peer: Peer,
  show: (text: string) => void,
): Promise<Contestant> {
  if (peer.program !== undefined) await requireProgram(peer.program)
  const environment = await ensureEnvironment(peer.environment, show)
  const versions = peer.packages.map((name) => `${name} ${environment.versions.get(name) ?? '?'}`)
  const describe = (settings: Readonly<Record<string, string>>) =>
    Object.entries(settings).map(([name, value]) => `${name.toLowerCase()}=${value}`)
  return {
    id: peer.id,
    label: peer.label,
    settings: (model) => [...versions, ...describe(peer.settings[model])].join(', '),
    start: (model) => startPeer(peer, environment.folder, model),
  }
}

async function startPeer(peer: Peer, venv: string, model: BenchModel): Promise<RunningServer> {
  // Short, because Ray puts sockets below it.
  const work = await mkdtemp(join(tmpdir(), 'bp-'))
  const [port, port2, port3] = await findFreePorts()
  const logPath = join(work, 'server.log')
  const child = spawn(join(SERVERS, peer.family, 'run.sh'), {
    // A session of its own: that is how its processes are found again.
    detached: true,
    cwd: work,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      OMP_NUM_THREADS: '1',
      PYTHONPATH: join(SERVERS, 'common'),
      PYTHONDONTWRITEBYTECODE: '1',
      VENV: venv,
      SERVERS,
      WORK: work,
      MODEL: model.path,
      PORT: String(port),
      PORT_2: String(port2),
      PORT_3: String(port3),
      ...peer.settings[model.name],
    },
  })
  const log = createWriteStream(logPath)
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  const tree = new ProcessTree(child.pid ?? 0)
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    tree,
    prepareRequests: () => Promise.resolve(encodeRequests(addressOfUrl(url), plainRequests(peer))),
    describeFailure: async () => (await readFile(logPath, 'utf8')).trim().slice(-LOG_TAIL),
    [Symbol.asyncDispose]: async () => {
      await tree.stop(STOP_DEADLINE_MS)
      await rm(work, { recursive: true, force: true })
    },
  }
}

function plainRequests({ path, encode }: Peer) {
  const headers = { 'content-type': 'application/json' }
  return makeRows().map((row) => ({ method: 'POST', path, headers, body: encode(row) }) as const)
}

async function requireProgram(program: string): Promise<void> {
  const found = await promisify(execFile)('which', [program]).catch(() => undefined)
  if (found === undefined) throw new Unavailable(`${program} is not installed on this machine.`)
}

/** Three ports that are free now; all are held until the last is known, so that they differ. */
async function findFreePorts(): Promise<number[]> {
  const servers = [createServer(), createServer(), createServer()]
  const ports: number[] = []
  for (const server of servers) {
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
    const address = server.address()
    if (address !== null && typeof address !== 'string') ports.push(address.port)
  }
  for (const server of servers) server.close()
  return ports
}
