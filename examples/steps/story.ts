import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  SageMakerRuntimeClient,
} from '@aws-sdk/client-sagemaker-runtime'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { berthProgram, readEnvironment, startBerth } from '../digits/steps/berth.ts'
import type { BerthEnvironment } from '../digits/steps/berth.ts'

const PACKAGE_ROOT = join(import.meta.dirname, '../..')

/** One invocation. */
export interface Question {
  readonly endpointName: string
  /** Of an endpoint of many models. */
  readonly targetModel?: string
  readonly body: Uint8Array | string
  readonly contentType: string
  readonly accept: string
}

/** A Berth of an example's own, and what an example does with it. */
export interface Story {
  /** What the AWS SDKs need to know of it. */
  readonly environment: BerthEnvironment
  /** `berth deploy FOLDER --name NAME`, with its output shown; waits until the endpoint is in service. */
  readonly deploy: (
    folder: string,
    endpointName: string,
    ...flags: readonly string[]
  ) => Promise<void>
  readonly ask: (question: Question) => Promise<string>
  /** The parts of a streamed answer, as they come. */
  readonly askStream: (question: Question) => AsyncIterable<string>
}

/**
 * Starts Berth in a folder of its own, tells the story, stops Berth and removes the folder.
 *
 * @returns what the story returns.
 */
export async function tellStory<T>(tell: (story: Story) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-example-'))
  const berth = await startBerth({ packageRoot: PACKAGE_ROOT, dataDir, port: 0 })
  try {
    console.log(`Berth answers at ${berth.url}`)
    const environment = await readEnvironment(PACKAGE_ROOT, dataDir)
    const client = createClient(environment)
    try {
      return await tell({
        environment,
        deploy: (folder, name, ...flags) =>
          runBerth(['deploy', folder, '--name', name, '--data-dir', dataDir, ...flags]),
        ask: (question) => ask(client, question),
        askStream: (question) => askStream(client, question),
      })
    } finally {
      client.destroy()
    }
  } finally {
    await berth.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Runs an example's install step: a Python file with its arguments. @returns what it printed. */
export async function runPython(file: string, ...args: readonly string[]): Promise<string> {
  const python = process.env['BERTH_PYTHON'] ?? 'python3'
  return (await promisify(execFile)(python, [file, ...args])).stdout.trim()
}

function createClient(environment: BerthEnvironment): SageMakerRuntimeClient {
  return new SageMakerRuntimeClient({
    endpoint: environment.AWS_ENDPOINT_URL,
    region: environment.AWS_REGION,
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    },
  })
}

async function runBerth(args: readonly string[]): Promise<void> {
  const program = [berthProgram(PACKAGE_ROOT), ...args]
  const exit = once(spawn(process.execPath, program, { stdio: 'inherit' }), 'exit')
  const [code] = (await exit) as unknown[]
  if (code !== 0) throw new Error(`berth ${args[0]} ended with ${String(code)}.`)
}

async function ask(client: SageMakerRuntimeClient, question: Question): Promise<string> {
  const reply = await client.send(new InvokeEndpointCommand(inputOf(question)))
  return reply.Body.transformToString()
}

async function* askStream(
  client: SageMakerRuntimeClient,
  question: Question,
): AsyncIterable<string> {
  const command = new InvokeEndpointWithResponseStreamCommand(inputOf(question))
  const decoder = new TextDecoder()
  for await (const { PayloadPart } of (await client.send(command)).Body ?? []) {
    yield decoder.decode(PayloadPart?.Bytes, { stream: true })
  }
}

function inputOf({ endpointName, targetModel, body, contentType, accept }: Question) {
  return {
    EndpointName: endpointName,
    ...(targetModel !== undefined && { TargetModel: targetModel }),
    ContentType: contentType,
    Accept: accept,
    Body: typeof body === 'string' ? Buffer.from(body) : body,
  }
}
