import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
} from '@aws-sdk/client-sagemaker-runtime'
import type { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'
import { createRuntimeClient } from './client/aws-clients.ts'
import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import type { ExitReason } from './exit-codes.ts'
import { CliFailure } from './failure.ts'
import { readBody } from './invoke-body.ts'
import { parseJson } from './json.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Flags of `berth invoke`. */
export interface InvokeOptions extends TargetOptions {
  readonly body: string
  readonly contentType?: string
  readonly accept?: string
  readonly targetVariant?: string
  readonly targetModel?: string
  readonly targetContainer?: string
  readonly stream?: boolean
  readonly json?: boolean
}

interface Answer {
  readonly variant: string | undefined
  readonly contentType: string | undefined
  readonly body: AsyncIterable<Uint8Array>
}

interface RuntimeInput {
  readonly EndpointName: string
  readonly Body: Uint8Array
  readonly ContentType: string
  readonly Accept?: string
  readonly TargetVariant?: string
  readonly TargetModel?: string
  readonly TargetContainerHostname?: string
}

/** Sends one invocation; the answer's bytes go to stdout untouched, everything else to stderr. */
export async function runInvoke(
  name: string,
  options: InvokeOptions,
  terminal: Terminal,
): Promise<ExitReason> {
  if (options.stream === true && options.json === true) {
    throw new CliFailure(
      'usage',
      '--stream prints the answer as it arrives; --json prints it whole.',
    )
  }
  if (options.stream === true && options.targetModel !== undefined) {
    throw new CliFailure('usage', 'SageMaker streams no answer of a --target-model.', {
      cure: 'Leave --stream out.',
    })
  }
  const target = findBerth(options)
  const { bytes, contentType } = await readBody(options.body, options.contentType, terminal)
  const input = {
    EndpointName: name,
    Body: bytes,
    ContentType: contentType,
    ...(options.accept === undefined ? {} : { Accept: options.accept }),
    ...(options.targetVariant === undefined ? {} : { TargetVariant: options.targetVariant }),
    ...(options.targetModel === undefined ? {} : { TargetModel: options.targetModel }),
    ...(options.targetContainer === undefined
      ? {}
      : { TargetContainerHostname: options.targetContainer }),
  }
  const client = await createRuntimeClient(target)
  using progress = terminal.startProgress(`Waiting for ${name}`)
  const startedAtMs = performance.now()
  const answer = await (options.stream === true
    ? invokeStream(client, input)
    : invokeOnce(client, input))
  progress.stop()
  if (options.json === true) await printJson(answer, startedAtMs, terminal)
  else await printBytes(answer, startedAtMs, terminal)
  return 'ok'
}

async function invokeOnce(client: SageMakerRuntimeClient, input: RuntimeInput): Promise<Answer> {
  const output = await client.send(new InvokeEndpointCommand(input))
  return {
    variant: output.InvokedProductionVariant,
    contentType: output.ContentType,
    body: single(output.Body ?? new Uint8Array()),
  }
}

async function invokeStream(client: SageMakerRuntimeClient, input: RuntimeInput): Promise<Answer> {
  const output = await client.send(new InvokeEndpointWithResponseStreamCommand(input))
  return {
    variant: output.InvokedProductionVariant,
    contentType: output.ContentType,
    body: partsOf(output.Body ?? emptyStream()),
  }
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function* emptyStream(): AsyncGenerator<never> {}

async function* partsOf(
  events: AsyncIterable<{ PayloadPart?: { Bytes?: Uint8Array | undefined } | undefined }>,
): AsyncGenerator<Uint8Array> {
  for await (const event of events) {
    if (event.PayloadPart?.Bytes !== undefined) yield event.PayloadPart.Bytes
  }
}

async function printBytes(answer: Answer, startedAtMs: number, terminal: Terminal): Promise<void> {
  let last: number | undefined
  for await (const bytes of answer.body) {
    await terminal.write(bytes)
    last = bytes.at(-1) ?? last
  }
  // On a terminal the prompt would otherwise stand behind the answer; a pipe gets the bytes as they are.
  if (process.stdout.isTTY && last !== undefined && last !== 10) terminal.print('')
  const facts = [answer.variant, `${latencySince(startedAtMs)} ms`, answer.contentType]
  terminal.note(terminal.noteStyle.dim(facts.filter((fact) => fact !== undefined).join('  ')))
}

async function printJson(answer: Answer, startedAtMs: number, terminal: Terminal): Promise<void> {
  const parts: Uint8Array[] = []
  for await (const bytes of answer.body) parts.push(bytes)
  const body = Buffer.concat(parts)
  const latencyMs = latencySince(startedAtMs)
  const { variant, contentType } = answer
  terminal.printJson({ variant, contentType, latencyMs, ...encodeBody(body) })
}

function encodeBody(bytes: Buffer): Record<string, unknown> {
  const text = bytes.toString('utf8')
  if (!Buffer.from(text).equals(bytes)) return { bodyBase64: bytes.toString('base64') }
  return { body: parseJson(text) ?? text }
}

function latencySince(startedAtMs: number): number {
  return Math.round((performance.now() - startedAtMs) * 10) / 10
}
