import { createHash } from 'node:crypto'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'

// A Unix socket path holds 108 bytes on Linux and 104 on macOS, the final NUL included.
const SOCKET_PATH_BYTES_MAX = 100
const LONGEST_SOCKET_TAIL = 'instances/0123456789abcdef0123/15.sock'

/** Where everything of one installation lies. All paths are absolute. */
export interface DataPaths {
  readonly dataDir: string
  /** Held while a `berth up` uses the data directory. */
  readonly lockFile: string
  readonly database: string
  /** JSON with the root access key, 0600. */
  readonly credentials: string
  /** Buckets of the S3 face. */
  readonly objects: string
  /** Unpacked model data by content hash, shared read-only. */
  readonly models: string
  /** Python environments by content hash, shared by instances. */
  readonly pythonEnvironments: string
  /** npm packages of user code by content hash, shared by instances. */
  readonly nodePackages: string
  /** One folder per compilation job that runs. */
  readonly compilations: string
  /** One folder per instance. */
  readonly logs: string
  /** Compiled code of our own programs, made by Node; may be removed at any time. `NODE_COMPILE_CACHE` names another. */
  readonly codeCache: string
  /** Sockets, pids and the route snapshot; in a temporary folder when the data directory's path is too long. */
  readonly run: string
  /** Control answers passed-on HTTP requests here. */
  readonly controlSocket: string
  /** Gateways subscribe to routes and report here. */
  readonly linkSocket: string
  readonly routeSnapshot: string
  /** Where a running Berth answers: url, controlPid, startedAtMs, version. Gone after an orderly stop. */
  readonly platformRecord: string
  /** One folder per instance: its record, its sockets. */
  readonly instances: string
  /** One record per gateway process. */
  readonly gateways: string
}

/**
 * The layout of a data directory. Pure: nothing is created.
 *
 * @param dataDirectory relative to the current folder; a leading `~` is the home folder.
 */
export function dataPathsOf(dataDirectory: string): DataPaths {
  const dataDir = resolve(dataDirectory.replace(/^~(?=\/|$)/, homedir()))
  const run = runDirectoryOf(dataDir)
  return {
    dataDir,
    lockFile: join(dataDir, 'lock'),
    database: join(dataDir, 'berth.db'),
    credentials: join(dataDir, 'credentials'),
    objects: join(dataDir, 'objects'),
    models: join(dataDir, 'models'),
    pythonEnvironments: join(dataDir, 'python'),
    nodePackages: join(dataDir, 'node'),
    compilations: join(dataDir, 'compilations'),
    logs: join(dataDir, 'logs'),
    codeCache: join(dataDir, 'code-cache'),
    run,
    controlSocket: join(run, 'control.sock'),
    linkSocket: join(run, 'link.sock'),
    routeSnapshot: join(run, 'routes.json'),
    platformRecord: join(run, 'platform.json'),
    instances: join(run, 'instances'),
    gateways: join(run, 'gateways'),
  }
}

function runDirectoryOf(dataDir: string): string {
  const inside = join(dataDir, 'run')
  if (Buffer.byteLength(join(inside, LONGEST_SOCKET_TAIL)) <= SOCKET_PATH_BYTES_MAX) return inside
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  return join(tmpdir(), `berth-${userInfo().uid}-${hash}`)
}
