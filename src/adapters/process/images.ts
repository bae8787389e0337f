/** What a program is told when an instance starts. */
export interface Launch {
  readonly image: string
  /** Holds the unpacked model data; empty when the model has none. */
  readonly modelDirectory: string
  /** What `OptimiseModel` made of the model data, if anything. */
  readonly optimisedDirectory: string | undefined
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
  /** Exit codes by which the program says that starting it again cannot help. */
  readonly permanentExitCodes: readonly number[]
}

// Bad options, model missing, invalid or unsupported, labels invalid. The model server documents its codes in
// modelserver/start-failure.ts; its 1 (a bug) and 25 (cannot listen) may pass with another try.
const MODEL_SERVER_PERMANENT_EXIT_CODES = [20, 21, 22, 23, 24]

/** The images built into Berth, all served by one program. */
export const BUILT_IN_IMAGES = ['berth/onnx', 'berth/echo'] as const

/** Where the model server is and how it is run. */
export interface ModelServerProgram {
  /** Node's executable. */
  readonly nodePath: string
  /** Entry file of the model server. */
  readonly entryPath: string
  /** The server exits by itself when it was neither pinged nor invoked for so long; 0 never. */
  readonly idleExitSeconds: number
}

/** Maps `berth/onnx` and `berth/echo`, with or without a tag, to the model server. */
export function builtInImages(
  server: ModelServerProgram,
): (image: string) => ImageProgram | undefined {
  return (image) => {
    const name = BUILT_IN_IMAGES.find((known) => image === known || image.startsWith(`${known}:`))
    if (name === undefined) return undefined
    return {
      command: server.nodePath,
      isServedOptimised: name === 'berth/onnx',
      permanentExitCodes: MODEL_SERVER_PERMANENT_EXIT_CODES,
      argumentsOf: ({ modelDirectory, optimisedDirectory, socketPath, workerCount }) => [
        server.entryPath,
        `--image=${name}`,
        `--model-directory=${modelDirectory}`,
        `--socket=${socketPath}`,
        `--workers=${workerCount}`,
        `--idle-exit-seconds=${server.idleExitSeconds}`,
        ...(optimisedDirectory === undefined
          ? []
          : [`--optimised-directory=${optimisedDirectory}`]),
      ],
    }
  }
}
