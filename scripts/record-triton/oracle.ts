import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, cpSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// The only Triton that a package registry has: the server itself, its Python backend and its local cache.
const PACKAGE = 'nvidia-pytriton==0.7.0'
const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache/triton-oracle')

/** A running tritonserver. */
export interface Oracle {
  readonly port: number
  readonly process: ChildProcess
  /** What it has logged so far. */
  log(): string
}

interface Launch {
  readonly directory: string
  readonly repository: string
  readonly flags: readonly string[]
}

/** Starts tritonserver and waits until it is live. */
export async function startOracle({ directory, repository, flags }: Launch): Promise<Oracle> {
  const port = await findFreePort()
  const { binary, env, backends } = prepare(directory)
  const logFile = join(directory, 'triton.log')
  const log = openSync(logFile, 'w')
  const child = spawn(
    binary,
    [
      `--model-repository=${repository}`,
      `--backend-directory=${backends}`,
      '--http-address=127.0.0.1',
      `--http-port=${port}`,
      '--allow-grpc=false',
      '--allow-metrics=false',
      ...flags,
    ],
    { cwd: directory, env, stdio: ['ignore', log, log] },
  )
  closeSync(log)
  const oracle = { port, process: child, log: () => readFileSync(logFile, 'utf8') }
  await untilLive(oracle)
  return oracle
}

export function killOracle(oracle: Oracle): Promise<void> {
  return stopOracle(oracle, 'SIGKILL')
}

export async function stopOracle(
  { process: child }: Oracle,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolveEnded) => child.once('exit', resolveEnded))
  child.kill(signal)
  await ended
}

// tritonserver does not take port 0, and the process of an interrupted recording may hold any fixed one.
async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function untilLive(oracle: Oracle): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (oracle.process.exitCode !== null) throw new Error(`tritonserver ended:\n${oracle.log()}`)
    try {
      const { status } = await fetch(`http://127.0.0.1:${oracle.port}/v2/health/live`)
      if (status === 200) return
    } catch {
      // Not listening yet.
    }
    await sleep(200)
  }
  throw new Error(`tritonserver is not live after 60 s:\n${oracle.log()}`)
}

/** Installs the package once, and puts the Python backend together the way tritonserver wants it. */
function prepare(directory: string) {
  if (!existsSync(join(CACHE, 'bin/pip'))) {
    execFileSync('python3', ['-m', 'venv', CACHE], { stdio: 'inherit' })
    execFileSync(join(CACHE, 'bin/pip'), ['install', '-q', PACKAGE], { stdio: 'inherit' })
  }
  const [prefix, version] = execFileSync(
    join(CACHE, 'bin/python'),
    ['-c', 'import sys; print(sys.base_prefix); print("%d.%d" % sys.version_info[:2])'],
    { encoding: 'utf8' },
  ).split('\n') as [string, string]
  const site = join(CACHE, `lib/python${version}/site-packages`)
  const triton = join(site, 'pytriton/tritonserver')
  const backends = join(directory, 'backends')
  cpSync(join(triton, 'backends'), backends, { recursive: true })
  cpSync(
    join(triton, 'python_backend_stubs', version, 'triton_python_backend_stub'),
    join(backends, 'python/triton_python_backend_stub'),
  )
  // The stub starts an interpreter that knows nothing of the virtual environment.
  const utils = join(backends, 'python/triton_python_backend_utils.py')
  const text = readFileSync(utils, 'utf8')
  writeFileSync(utils, `import sys\nsys.path.insert(0, ${JSON.stringify(site)})\n${text}`)
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: `${prefix}/lib:${join(site, 'nvidia_pytriton.libs')}`,
    PYTHONHOME: prefix,
    PYTHONDONTWRITEBYTECODE: '1',
  }
  return { binary: join(triton, 'bin/tritonserver'), env, backends }
}
