/**
 * Makes the Python environment of the conformance suite: boto3 and the AWS CLI, pinned, in a cache folder.
 *
 * `node scripts/python-env.ts` makes it and prints where it is.
 */
import { execFile, spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const REQUIREMENTS = join(ROOT, 'test', 'conformance', 'python', 'requirements.txt')
const CACHE = join(ROOT, 'node_modules', '.cache')
/** What the pinned boto3 asks for. */
const MINOR_MIN = 10
const CANDIDATES = ['python3', 'python', ...[14, 13, 12, 11, 10].map((minor) => `python3.${minor}`)]
const POLL_MS = 200
const WAIT_MAX_MS = 300_000
/** A lock whose owner wrote no name within this time died while taking it. */
const NAMELESS_LOCK_MS = 5_000

/** Programs of a ready environment. */
export interface PythonEnvironment {
  readonly python: string
  readonly aws: string
}

/** Why there is none, in words for the person who reads the test's output. */
export interface SkippedPython {
  readonly skipped: string
}

/**
 * Finds or makes the environment. Callers in any number of processes may ask at the same time: one makes it, the others wait.
 *
 * In CI (`CI=true`) a missing Python is an error, so that a skip cannot hide there.
 */
export async function ensurePythonEnvironment(): Promise<PythonEnvironment | SkippedPython> {
  try {
    return await findOrMakeEnvironment()
  } catch (error) {
    if (!(error instanceof NoPython) || process.env['CI'] === 'true') throw error
    return { skipped: error.message }
  }
}

class NoPython extends Error {}

async function findOrMakeEnvironment(): Promise<PythonEnvironment> {
  const requirements = await readFile(REQUIREMENTS, 'utf8')
  const hash = createHash('sha256').update(requirements).digest('hex').slice(0, 12)
  const place = join(CACHE, `berth-python-${hash}`)
  const ready = await findEnvironment(place)
  if (ready !== undefined) return ready
  await mkdir(CACHE, { recursive: true })
  const waitUntilMs = Date.now() + WAIT_MAX_MS
  while (Date.now() < waitUntilMs) {
    if (await takeLock(`${place}.lock`)) return await makeLocked(place)
    await sleep(POLL_MS)
    const made = await findEnvironment(place)
    if (made !== undefined) return made
  }
  throw new Error(`Another process holds ${place}.lock and does not finish.`)
}

async function makeLocked(place: string): Promise<PythonEnvironment> {
  try {
    return (await findEnvironment(place)) ?? (await makeEnvironment(place))
  } finally {
    await rm(`${place}.lock`, { recursive: true, force: true })
  }
}

/**
 * Builds in a folder of its own and publishes it by renaming a link to it into place.
 *
 * The finished folder itself cannot be renamed, because a virtual environment holds its own path. The link is what makes
 * this right even if two builders slip past the lock: each publishes something complete.
 */
async function makeEnvironment(place: string): Promise<PythonEnvironment> {
  const python = await findPython()
  const folder = `${place}.${randomUUID().slice(0, 8)}`
  try {
    await run(python, ['-m', 'venv', folder], 'a virtual environment (Debian: python3-venv)')
    const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input']
    await run(join(folder, 'bin', 'python'), [...pip, '-r', REQUIREMENTS], 'the pinned packages')
    await symlink(folder, `${folder}.link`)
    await rename(`${folder}.link`, place)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  const environment = await findEnvironment(place)
  if (environment === undefined) throw new Error(`${place} is not usable after it was made.`)
  return environment
}

async function findEnvironment(place: string): Promise<PythonEnvironment | undefined> {
  const environment = { python: join(place, 'bin', 'python'), aws: join(place, 'bin', 'aws') }
  return (await exists(environment.python)) && (await exists(environment.aws))
    ? environment
    : undefined
}

async function findPython(): Promise<string> {
  const seen: string[] = []
  for (const candidate of CANDIDATES) {
    const version = await readVersion(candidate)
    if (version === undefined) continue
    if (version.major === 3 && version.minor >= MINOR_MIN) return candidate
    seen.push(`${candidate} is ${version.major}.${version.minor}`)
  }
  const found = seen.length === 0 ? 'none was found on PATH' : seen.join(', ')
  throw new NoPython(`Python 3.${MINOR_MIN} or newer is needed and ${found}.`)
}

async function readVersion(python: string) {
  try {
    const print = 'import sys; print(*sys.version_info[:2])'
    const { stdout } = await promisify(execFile)(python, ['-c', print])
    const [major = 0, minor = 0] = stdout.trim().split(' ').map(Number)
    return { major, minor }
  } catch {
    return undefined
  }
}

/** @returns whether this process now holds the lock; one left by a dead process is removed for the next try. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
    await writeFile(join(lock, 'owner'), String(process.pid))
    return true
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
    if (await isAbandoned(lock)) await rm(lock, { recursive: true, force: true })
    return false
  }
}

async function isAbandoned(lock: string): Promise<boolean> {
  try {
    const owner = Number(await readFile(join(lock, 'owner'), 'utf8'))
    if (owner > 0) return !isAlive(owner)
    return Date.now() - (await stat(lock)).mtimeMs > NAMELESS_LOCK_MS
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
    const made = await stat(lock).catch(() => undefined)
    return made !== undefined && Date.now() - made.mtimeMs > NAMELESS_LOCK_MS
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return isCode(error, 'EPERM')
  }
}

/** Runs a command; its output becomes one moving line on a terminal, and the reason if it fails. */
async function run(command: string, args: readonly string[], what: string): Promise<void> {
  const startedAtMs = Date.now()
  const lines: string[] = []
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const show = (text: string) => showProgress(`python: making ${what}`, text, startedAtMs)
  show('')
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      if (process.stderr.isTTY) show(line)
    })
  }
  const code = await new Promise<number | null>((settle, fail) => {
    child.once('error', fail)
    child.once('close', settle)
  })
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K')
  if (code !== 0) {
    throw new NoPython(`${command} could not make ${what}: ${lines.slice(-3).join(' / ')}`)
  }
}

function showProgress(what: string, text: string, startedAtMs: number): void {
  if (!process.stderr.isTTY) return void process.stderr.write(`${what} …\n`)
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1)
  const line = `${what} … ${seconds} s  ${text}`.slice(0, process.stderr.columns - 1)
  process.stderr.write(`\r\u001b[2K${line}`)
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await ensurePythonEnvironment(), null, 2))
}
