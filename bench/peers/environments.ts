import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../harness/berth.ts'

const SERVERS = join(packageRoot, 'bench', 'peers', 'servers')
const CACHE = join(packageRoot, 'node_modules', '.cache', 'berth-peers')
/** The one every peer has wheels for; the Python backend of nvidia-pytriton brings stubs for few others. */
const PYTHONS = ['python3.11', 'python3.10', 'python3.12', 'python3']
/** Written last: without it a folder is half an environment. */
const COMPLETE = '.complete'

/** A peer's own Python environment. */
export interface Environment {
  readonly folder: string
  /** What is installed, as `pip freeze` tells it. */
  readonly versions: ReadonlyMap<string, string>
}

/** Why a peer cannot run on this machine. */
export class Unavailable extends Error {}

/**
 * Finds or makes the environment of a peer: a venv for its `requirements.txt`, made anew when that changes.
 *
 * @throws Unavailable if Python or its packages cannot be had here.
 */
export async function ensureEnvironment(
  family: string,
  show: (text: string) => void,
): Promise<Environment> {
  const requirements = join(SERVERS, family, 'requirements.txt')
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
  const folder = join(CACHE, `${family}-${hash.slice(0, 12)}`)
  if (!existsSync(join(folder, COMPLETE))) {
    show(`making ${folder}`)
    await makeEnvironment(folder, requirements)
  }
  return { folder, versions: parseVersions(await readFile(join(folder, COMPLETE), 'utf8')) }
}

async function makeEnvironment(folder: string, requirements: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(CACHE, { recursive: true })
  await run(await findPython(), ['-m', 'venv', folder])
  const python = join(folder, 'bin', 'python')
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-input']
  await run(python, [...pip, 'install', '--quiet', '-r', requirements])
  const { stdout } = await promisify(execFile)(python, [...pip, 'freeze'])
  await writeFile(join(folder, COMPLETE), stdout)
}

async function findPython(): Promise<string> {
  for (const python of PYTHONS) {
    const found = await promisify(execFile)(python, ['-c', 'import venv']).catch(() => undefined)
    if (found !== undefined) return python
  }
  throw new Unavailable(`None of ${PYTHONS.join(', ')} is installed with its venv module.`)
}

/** Runs a command with its messages on our standard error. */
async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] })
  let messages = ''
  child.stderr.on('data', (bytes: Buffer) => (messages += bytes.toString()))
  const code = await new Promise<number | null>((settle, fail) => {
    child.once('error', fail)
    child.once('close', settle)
  })
  if (code === 0) return
  const last = messages.trim().split('\n').slice(-2).join(' ')
  throw new Unavailable(`${command} ${args.slice(0, 4).join(' ')} failed: ${last}`)
}

function parseVersions(freeze: string): ReadonlyMap<string, string> {
  const pairs = freeze.split('\n').map((line) => line.split('=='))
  return new Map(pairs.map(([name = '', version = '']) => [name.toLowerCase(), version]))
}
