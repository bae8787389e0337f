import { createServer } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const DEFAULT_PORT = 7070

export const USAGE = `Usage: npm run quickstart [-- options]

  --once            stop after the answers; exit code 1 if one is wrong
  --port N          port to listen on (default ${DEFAULT_PORT}; with --once a free one)
  --data-dir DIR    where Berth keeps its state (default .berth/quickstart; with --once a temporary folder)
  --help            this text`

/** What the command line asked for. */
export interface Options {
  readonly once: boolean
  readonly help: boolean
  readonly port: number | undefined
  readonly dataDir: string | undefined
}

/** A mistake on the command line: exit code 2. */
export class UsageError extends Error {}

export function parseOptions(args: readonly string[]): Options {
  const values = parseKnownArgs(args)
  const port = values.port === undefined ? undefined : Number(values.port)
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new UsageError(`--port must be a whole number from 0 to 65535, not ${values.port}.`)
  }
  if (values['data-dir'] === '') throw new UsageError('--data-dir must name a folder.')
  return {
    once: values.once,
    help: values.help,
    port,
    dataDir: values['data-dir'] === undefined ? undefined : resolve(values['data-dir']),
  }
}

function parseKnownArgs(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        port: { type: 'string' },
        'data-dir': { type: 'string' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** A data directory and what to do with it at the end. */
export interface DataDir {
  readonly path: string
  remove(): Promise<void>
}

/** The folder asked for; else one that stays, so that the next run finds its endpoint; with `--once` one that does not. */
export async function openDataDir({ once, dataDir }: Options): Promise<DataDir> {
  if (dataDir !== undefined || !once) {
    return { path: dataDir ?? resolve('.berth', 'quickstart'), remove: async () => {} }
  }
  const path = await mkdtemp(join(tmpdir(), 'berth-quickstart-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** The port asked for; else 7070 if it is free; else 0, which lets the system choose. */
export async function choosePort({ once, port }: Options): Promise<number> {
  if (port !== undefined) return port
  return !once && (await isFree(DEFAULT_PORT)) ? DEFAULT_PORT : 0
}

function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer()
    server.once('error', () => settle(false))
    server.listen(port, '127.0.0.1', () => server.close(() => settle(true)))
  })
}
