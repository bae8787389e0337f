import type { WorkerFrame } from '../../python/channel.ts'
import { OIP_ERRORS } from '../../../wire/oip/errors.ts'
import type { OipErrorCode } from '../../../wire/oip/errors.ts'
import type { InferenceResponse } from '../backend.ts'
import { read } from '../json-reader.ts'
import { ServingError } from '../serving-error.ts'
import { parseTensors, readParameters } from './frame-tensors.ts'

/** Kinds of frames to `berth_worker.triton`; its `triton_link.py` has the same. */
export const TO_WORKER = {
  prepare: 1,
  initialize: 2,
  execute: 3,
  cancel: 4,
  callReply: 5,
  askReadiness: 6,
} as const

const KINDS = [
  'started',
  'prepared',
  'loaded',
  'load-failed',
  'executed',
  'response',
  'call',
  'end-call',
  'log',
  'metric-released',
  'readiness',
] as const

type JsonObject = Readonly<Record<string, unknown>>

/** An answer of a model to one request. */
export type ModelAnswer = InferenceResponse | ServingError

/** What a batch led to; undefined stands for a request that a response sender answers. */
export type Execution =
  { readonly error: string } | { readonly answers: readonly (ModelAnswer | undefined)[] }

/** What a model asks of the server. */
export interface ModelCall {
  readonly number: number
  readonly asked: JsonObject
  readonly body: Uint8Array
}

/** What the worker's program `berth_worker.triton` says. */
export type TritonMessage =
  | { readonly kind: 'started'; readonly python: string }
  | { readonly kind: 'prepared'; readonly completed: JsonObject | undefined }
  | { readonly kind: 'loaded' }
  | { readonly kind: 'load-failed'; readonly message: string }
  | {
      readonly kind: 'executed'
      readonly execution: Execution
      /** When user code began and ended, in nanoseconds of the monotonic clock. */
      readonly userNs: readonly number[]
    }
  | { readonly kind: 'response'; readonly isFinal: boolean; readonly answer: ModelAnswer }
  | { readonly kind: 'call'; readonly call: ModelCall }
  | { readonly kind: 'end-call' }
  | { readonly kind: 'log'; readonly level: string; readonly message: string }
  | { readonly kind: 'metric-released'; readonly number: number }
  | { readonly kind: 'readiness'; readonly isReady: boolean }

/** What a process says without being asked. */
export type WorkerWish = Extract<
  TritonMessage,
  { readonly kind: 'call' | 'end-call' | 'log' | 'metric-released' }
>

/** A frame's meaning. @throws Error when it has none. */
export function parseTritonMessage(frame: WorkerFrame): TritonMessage {
  const kind = KINDS[frame.kind - 1]
  if (kind === undefined) {
    throw new Error(`A Python worker does not send frames of kind ${frame.kind}.`)
  }
  const { body, callId } = frame
  const head = read.object(frame.head)
  switch (kind) {
    case 'started':
      return { kind, python: read.text(head['python']) }
    case 'prepared': {
      const { config } = head
      return { kind, completed: config === null ? undefined : read.object(config) }
    }
    case 'load-failed':
      return { kind, message: read.text(head['message']) }
    case 'executed':
      return { kind, execution: parseExecution(head, body), userNs: read.numbers(head['times']) }
    case 'response': {
      return { kind, isFinal: read.boolean(head['isFinal']), answer: parseAnswer(head, body) }
    }
    case 'call':
      return { kind, call: { number: callId, asked: head, body } }
    case 'log':
      return { kind, level: read.text(head['level']), message: read.text(head['message']) }
    case 'metric-released':
      return { kind, number: read.number(head['number']) }
    case 'readiness':
      return { kind, isReady: read.boolean(head['isReady']) }
    case 'loaded':
    case 'end-call':
      return { kind }
  }
}

function parseExecution(head: JsonObject, body: Uint8Array): Execution {
  const { error, responses } = head
  if (typeof error === 'string') return { error }
  const list = Array.isArray(responses) ? responses : []
  return {
    answers: list.map((one: unknown) =>
      one === null ? undefined : parseAnswer(read.object(one), body),
    ),
  }
}

function parseAnswer(head: JsonObject, body: Uint8Array): ModelAnswer {
  if (head['error'] !== undefined) {
    const error = read.object(head['error'])
    return new ServingError(parseCode(error['code']), read.text(error['message']), 'BACKEND')
  }
  const outputs = parseTensors(head['outputs'], body)
  const parameters = readParameters(head['parameters'])
  return parameters.size === 0 ? { outputs } : { outputs, parameters }
}

function parseCode(code: unknown): OipErrorCode {
  return isCode(code) ? code : 'INTERNAL'
}

function isCode(code: unknown): code is OipErrorCode {
  return typeof code === 'string' && Object.hasOwn(OIP_ERRORS, code)
}
