/** A thread of the Triton server's Node backend: loads a model of `defineModel` once, then runs one batch at a time. */
import { setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { nowNs } from '../../triton/clock.ts'
import { isDefinedModel, StatusError } from '../author/model.ts'
import { memberOf, requiredMemberOf } from './defined-model.ts'
import type { UserFunction } from './defined-model.ts'
import { loadUserCode } from './load-user-code.ts'
import { printError } from './output.ts'
import type { FromTensorThread, ToTensorThread } from './tensor-messages.ts'
import { parseSignature, toGivenTensors, toInputTensor } from './tensors.ts'
import type { DeclaredSignature, GivenTensor } from './tensors.ts'
import type { UserCodePlace } from './thread-data.ts'
import type { UserExports } from './user-module.ts'

type Run = Extract<ToTensorThread, { kind: 'run' }>

interface TensorModel {
  readonly signature: DeclaredSignature
  readonly predict: UserFunction
  /** What its `load` returned. */
  readonly state: unknown
}

if (parentPort === null) throw new Error('This is the program of a thread.')
const port: MessagePort = parentPort
const data: UserCodePlace = workerData
let calling = new AbortController()
await loadUserCode(
  data,
  async (exports) => {
    const model = await createModel(exports)
    port.on('message', (message: ToTensorThread) => {
      if (message.kind === 'run') void execute(model, message)
      else calling.abort(new DOMException('Nobody waits for it.', 'AbortError'))
    })
    send({ kind: 'loaded', signature: model.signature })
  },
  (message) => send({ kind: 'load-failed', message }),
)

async function createModel(exports: UserExports): Promise<TensorModel> {
  const given = exports['default']
  if (!isDefinedModel(given)) {
    throw new TypeError('Its default export is not a model from defineModel of berth/model.')
  }
  const signature = parseSignature(Reflect.get(given, 'signature'))
  const predict = requiredMemberOf(given, 'predict')
  const state: unknown = await memberOf(given, 'load')?.({ modelDirectory: data.modelDirectory })
  return { signature, predict, state }
}

async function execute(model: TensorModel, run: Run): Promise<void> {
  calling = new AbortController()
  try {
    const inputs = Object.fromEntries(
      run.inputs.map(({ name, datatype, shape, offset, byteLength }) => {
        return [name, toInputTensor(datatype, shape, { buffer: run.buffer, offset, byteLength })]
      }),
    )
    const { modelDirectory } = data
    const { signal } = calling
    const context = { model: model.state, modelDirectory, signal, requests: run.requests }
    const inputEndNs = nowNs()
    const result: unknown = await model.predict(inputs, context)
    if (model.signature.isDecoupled) await sendEach(result, model.signature, signal)
    const outputStartNs = nowNs()
    if (!model.signature.isDecoupled) sendOutputs(toGivenTensors(result, model.signature))
    send({ kind: 'executed', inputEndNs, outputStartNs })
  } catch (error) {
    if (!calling.signal.aborted) printError(error)
    const isMeant =
      error instanceof Error && error.name === StatusError.name && 'statusCode' in error
    const message = isMeant ? error.message : String(error)
    send({
      kind: 'run-failed',
      message,
      statusCode: isMeant ? Number(error.statusCode) : undefined,
    })
  }
}

async function sendEach(
  responses: unknown,
  signature: DeclaredSignature,
  signal: AbortSignal,
): Promise<void> {
  if (!isAsyncIterable(responses)) {
    throw new TypeError('predict of a decoupled model must be an async generator.')
  }
  for await (const outputs of responses) {
    sendOutputs(toGivenTensors(outputs, signature))
    // So that a message can come through between two responses.
    await turn()
    signal.throwIfAborted()
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function sendOutputs(outputs: readonly GivenTensor[]): void {
  send(
    { kind: 'outputs', outputs },
    outputs.map(({ data: bytes }) => bytes.buffer),
  )
}

function send(message: FromTensorThread, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved)
}
