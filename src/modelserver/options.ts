import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BUILT_IN_IMAGES } from '../domain/built-in-images.ts'
import type { BuiltInImage } from '../domain/built-in-images.ts'
import { StartFailure } from './start-failure.ts'

const MIB = 1024 * 1024

interface IntegerOption {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly doc: string
}

/** The integer options: parser and messages derive from this table. */
export const INTEGER_OPTIONS = {
  workers: { default: 1, min: 1, max: 64, doc: 'Inference threads; each loads the model.' },
  'waiting-max': {
    default: 256,
    min: 0,
    max: 100_000,
    doc: 'Invocations that may wait for a worker before 503.',
  },
  'body-bytes-max': {
    default: 25 * MIB,
    min: 1,
    max: 1024 * MIB,
    doc: 'Largest request body; a larger one gets 413.',
  },
  'idle-exit-seconds': {
    default: 0,
    min: 0,
    max: 86_400,
    doc: 'Exits when nobody pinged or invoked for so long; 0 never does.',
  },
} as const satisfies Record<string, IntegerOption>

/** Where the server listens: a Unix socket, or a port of the loopback interface. */
export type Address = { readonly socketPath: string } | { readonly port: number }

/** What the process runtime asked for. */
export interface Options {
  readonly imageName: BuiltInImage
  readonly modelDirectory: string
  /** An optimised form of the model, made by `compile/`; the original serves when it does not fit. */
  readonly optimisedDirectory: string | undefined
  readonly address: Address
  readonly workerCount: number
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Whether invocations that wait may share a run. */
  readonly isBatching: boolean
  /** 0: never exits by itself. */
  readonly idleExitMs: number
  /** The installation's keys, for a graph that calls endpoints. */
  readonly credentialsFile: string | undefined
  /** Python's executable, where the operator named one. */
  readonly python: string | undefined
  /** Where Python environments are kept and shared. */
  readonly environmentsDirectory: string
  /** Where npm packages of user code are kept and shared. */
  readonly packagesDirectory: string
  /** Requirements that the image stands for, beside those of the model. */
  readonly pythonPackages: readonly string[]
}

/**
 * Parses the command line and the container contract's environment.
 *
 * @throws StartFailure `badOptions`: with every problem in one message.
 */
export function parseOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Options {
  const values = readArguments(args)
  const problems: string[] = []
  const image = BUILT_IN_IMAGES.find((name) => name === values.image)
  if (image === undefined) {
    problems.push(
      `--image must be one of ${BUILT_IN_IMAGES.join(', ')}, not ${values.image ?? 'absent'}`,
    )
  }
  const integer = (name: keyof typeof INTEGER_OPTIONS): number => {
    const { default: fallback, min, max } = INTEGER_OPTIONS[name]
    return parseInteger({ name: `--${name}`, text: values[name], fallback, min, max }, problems)
  }
  const options = {
    imageName: image ?? 'berth/echo',
    modelDirectory: values['model-directory'] ?? '/opt/ml/model',
    optimisedDirectory: values['optimised-directory'],
    address: parseAddress(values.socket, env.SAGEMAKER_BIND_TO_PORT, problems),
    workerCount: integer('workers'),
    waitingMax: integer('waiting-max'),
    bodyBytesMax: integer('body-bytes-max'),
    isBatching: parseSwitch('--batching', values.batching, problems),
    idleExitMs: integer('idle-exit-seconds') * 1000,
    credentialsFile: values['credentials-file'],
    python: values.python,
    environmentsDirectory: values['environments-directory'] ?? cacheDirectory('python'),
    packagesDirectory: values['packages-directory'] ?? cacheDirectory('node'),
    pythonPackages: values['python-package'] ?? [],
  }
  if (problems.length > 0) throw new StartFailure('badOptions', problems.join('; '))
  return options
}

/** Where a server that nobody has told keeps what it installs. */
export function cacheDirectory(language: 'python' | 'node'): string {
  return join(homedir(), '.cache', 'berth', language)
}

/** One integer to parse, with its bounds. */
export interface IntegerText {
  readonly name: string
  readonly text: string | undefined
  readonly fallback: number
  readonly min: number
  readonly max: number
}

/** Parses an integer within bounds; a violation is added to `problems` and the fallback returned. */
export function parseInteger(spec: IntegerText, problems: string[]): number {
  const { name, text, fallback, min, max } = spec
  if (text === undefined || text === '') return fallback
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  problems.push(`${name} must be an integer from ${min} to ${max}, not ${text}`)
  return fallback
}

function parseSwitch(name: string, text: string | undefined, problems: string[]): boolean {
  if (text !== undefined && text !== 'on' && text !== 'off') {
    problems.push(`${name} must be on or off, not ${text}`)
  }
  return text !== 'off'
}

// Source: container contract, SAGEMAKER_BIND_TO_PORT; 8080 when it is not set.
function parseAddress(
  socketPath: string | undefined,
  portText: string | undefined,
  problems: string[],
): Address {
  if (socketPath !== undefined) return { socketPath }
  const spec = {
    name: 'SAGEMAKER_BIND_TO_PORT',
    text: portText,
    fallback: 8080,
    min: 1,
    max: 65_535,
  }
  return { port: parseInteger(spec, problems) }
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        image: { type: 'string' },
        'model-directory': { type: 'string' },
        'optimised-directory': { type: 'string' },
        socket: { type: 'string' },
        workers: { type: 'string' },
        'waiting-max': { type: 'string' },
        batching: { type: 'string' },
        'body-bytes-max': { type: 'string' },
        'idle-exit-seconds': { type: 'string' },
        'credentials-file': { type: 'string' },
        python: { type: 'string' },
        'environments-directory': { type: 'string' },
        'packages-directory': { type: 'string' },
        'python-package': { type: 'string', multiple: true },
      },
    }).values
  } catch (error) {
    throw new StartFailure('badOptions', error instanceof Error ? error.message : String(error))
  }
}
