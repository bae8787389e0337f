import { BUILT_IN_IMAGES } from '../../domain/built-in-images.ts'
import { standInFor } from '../../domain/framework-image.ts'

/** What a program is told when an instance starts. */
export interface Launch {
  readonly image: string
  /** Holds the unpacked model data; empty when the model has none. */
  readonly modelDirectory: string
  /** What `OptimiseModel` made of the model data, if anything. */
  readonly optimisedDirectory: string | undefined
  /** User code that came beside the model data. */
  readonly codeDirectory: string | undefined
  /** Where it must answer `GET /ping` and `POST /invocations` over HTTP. */
  readonly socketPath: string
  readonly workerCount: number
}

/** The program that stands for an image on this machine. */
export interface ImageProgram {
  readonly command: string
  readonly argumentsOf: (launch: Launch) => readonly string[]
  /** Whether it takes {@link Launch.optimisedDirectory}. */
  readonly isServedOptimised?: boolean
  /**
   * Good pings in a row after which it counts as ready; absent: as the policy says. One is enough for a program whose 200
   * is known to mean that it serves.
   */
  readonly goodPingCountMin?: number
  /** Whether user code that lies elsewhere than in the model data is fetched for it. */
  readonly takesCode?: boolean
  /** How a process of the warm pool becomes it; absent when none can. */
  readonly pooled?: PooledProgram
  /** What it sees besides what every container sees. */
  readonly environment?: Readonly<Record<string, string>>
  /** Exit codes by which the program says that starting it again cannot help. */
  readonly permanentExitCodes: readonly number[]
}

/** What a process of the warm pool is told, and when it can be told. */
export interface PooledProgram {
  /** Whether the container's environment means the same to a process that has begun already. */
  readonly accepts: (environment: Readonly<Record<string, string>>) => boolean
  readonly argumentsOf: (launch: Launch) => readonly string[]
}

// What only the model server itself reads, when it is told what to become. Everything else (NODE_OPTIONS, LD_PRELOAD,
// TZ, OMP_NUM_THREADS) may have been read when the process began.
const LATE_VARIABLE = /^SAGEMAKER_/

// Bad options, model missing, invalid or unsupported, labels invalid, packages not installable, no Python. The model server documents its codes in
// modelserver/start-failure.ts; its 1 (a bug) and 25 (cannot listen) may pass with another try.
const MODEL_SERVER_PERMANENT_EXIT_CODES = [20, 21, 22, 23, 24, 26, 27]

/** Where the model server is and how it is run. */
export interface ModelServerProgram {
  /** Node's executable. */
  readonly nodePath: string
  /** Entry file of the model server. */
  readonly entryPath: string
  /** The server exits by itself when it was neither pinged nor invoked for so long; 0 never. */
  readonly idleExitSeconds: number
  /** `on` or `off`: whether invocations that wait may share a run. */
  readonly batching: string
  /** The installation's keys: only a graph is told where, which runs no code of anybody. */
  readonly credentialsFile: string
  readonly python: PythonPlace
  /** Where npm packages of user code are kept and shared. */
  readonly nodePackagesDirectory: string
}

/** What the model server is told of Python. */
export interface PythonPlace {
  /** Its executable; undefined is `python3` of the path. */
  readonly executable: string | undefined
  readonly environmentsDirectory: string
  /** What package installers are set by: indexes, proxies, certificates. */
  readonly installerEnvironment: Readonly<Record<string, string>>
}

/**
 * Maps built-in images, with or without a tag, and the AWS framework images that one of them stands in for, to the model
 * server.
 */
export function builtInImages(
  server: ModelServerProgram,
): (image: string) => ImageProgram | undefined {
  return (image) => {
    const standIn = standInFor(image)
    const packages = standIn.kind === 'built-in' ? standIn.packages : []
    const wanted = standIn.kind === 'built-in' ? standIn.image : image
    const name = BUILT_IN_IMAGES.find((known) => wanted === known || wanted.startsWith(`${known}:`))
    if (name === undefined) return undefined
    const hasPython = name === 'berth/python' || name === 'berth/triton'
    const hasNode = name === 'berth/node' || name === 'berth/triton'
    const argumentsOf: PooledProgram['argumentsOf'] = (launch) => [
      ...modelServerArguments(name, launch, server),
      ...(hasPython ? pythonArguments(server.python, packages) : []),
      ...(hasNode ? [`--packages-directory=${server.nodePackagesDirectory}`] : []),
      ...(name === 'berth/graph' ? [`--credentials-file=${server.credentialsFile}`] : []),
    ]
    return {
      command: server.nodePath,
      isServedOptimised: name === 'berth/onnx',
      takesCode: name === 'berth/python' || name === 'berth/node',
      permanentExitCodes: MODEL_SERVER_PERMANENT_EXIT_CODES,
      argumentsOf: (launch) => [server.entryPath, ...argumentsOf(launch)],
      ...((hasPython || hasNode) && { environment: installerVariables(server.python) }),
      // It answers 200 only while a thread has the model. What the pool has ready is ONNX Runtime.
      ...(name === 'berth/onnx' && {
        goodPingCountMin: 1,
        pooled: { accepts: canBeToldLate, argumentsOf },
      }),
    }
  }
}

function modelServerArguments(
  name: string,
  launch: Launch,
  server: ModelServerProgram,
): readonly string[] {
  const { modelDirectory, optimisedDirectory, socketPath, workerCount } = launch
  return [
    `--image=${name}`,
    `--model-directory=${modelDirectory}`,
    `--socket=${socketPath}`,
    `--workers=${workerCount}`,
    `--idle-exit-seconds=${server.idleExitSeconds}`,
    `--batching=${server.batching}`,
    ...(optimisedDirectory === undefined ? [] : [`--optimised-directory=${optimisedDirectory}`]),
  ]
}

function pythonArguments(python: PythonPlace, packages: readonly string[]): readonly string[] {
  const { executable, environmentsDirectory } = python
  return [
    `--environments-directory=${environmentsDirectory}`,
    ...(executable === undefined ? [] : [`--python=${executable}`]),
    ...packages.map((requirement) => `--python-package=${requirement}`),
  ]
}

// Under names of their own: they are for the installer that the model server starts, not for user code.
function installerVariables({ installerEnvironment }: PythonPlace): Record<string, string> {
  return Object.fromEntries(
    Object.entries(installerEnvironment).map(([name, value]) => [`BERTH_INSTALLER_${name}`, value]),
  )
}

/** A model server that waits to become an instance of `berth/onnx`. */
export function warmModelServer({ nodePath, entryPath }: ModelServerProgram) {
  return { command: nodePath, arguments: [entryPath, '--pooled'] }
}

function canBeToldLate(environment: Readonly<Record<string, string>>): boolean {
  // What waits has rehearsed with one model; many are another program.
  if (environment['SAGEMAKER_MULTI_MODEL'] === 'true') return false
  return Object.keys(environment).every((name) => LATE_VARIABLE.test(name))
}
