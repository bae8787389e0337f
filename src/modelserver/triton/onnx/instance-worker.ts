/**
 * The thread of one instance of an ONNX model: loads it once, then runs one batch at a time. A run blocks this thread, so
 * nothing else happens here.
 */
import { dirname } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { NamedTensor } from '../../codecs/tensor.ts'
import { explainLoadError, withoutSourcePath } from '../../onnx/load-failure.ts'
import { createSession } from '../../onnx/session.ts'
import type { Session } from '../../onnx/session.ts'
import { StartFailure } from '../../start-failure.ts'
import { nowNs } from '../clock.ts'
import { fingerprint } from '../scan-repository.ts'
import { bytesOfElements, toDatatype, toElementType, viewElements } from './element-bytes.ts'
import type {
  BatchRun,
  FollowUpResult,
  FollowUpRun,
  FromInstance,
  InstanceData,
  OutputTensor,
  ToInstance,
} from './instance-messages.ts'

if (parentPort === null) throw new Error('This is the program of a thread.')
const data: InstanceData = workerData
await runInstance(parentPort)

async function runInstance(port: MessagePort): Promise<void> {
  const send = (message: FromInstance, moved: ArrayBuffer[] = []): void =>
    port.postMessage(message, moved)
  try {
    const session = await createSession(data.modelPath, data.choices)
    const attached = new Map<number, Session | 'loading'>()
    port.on('message', (message: ToInstance) => {
      if (message.kind === 'run') void answer({ session, attached }, message, send)
      else if (message.kind === 'attach') void attach(attached, message, send)
      else {
        void findLoaded(attached, message.key)?.close()
        attached.delete(message.key)
      }
    })
    send({ kind: 'loaded', signature: session.signature })
  } catch (error) {
    const failure = error instanceof StartFailure ? error : explainLoadError('model.onnx', error)
    send({ kind: 'failed', message: failure.message })
  }
}

type Attached = ReadonlyMap<number, Session | 'loading'>

// What cannot be loaded, or is not what its own threads have any more, runs in those only.
async function attach(
  attached: Map<number, Session | 'loading'>,
  { key, data: { modelPath, choices, files } }: Extract<ToInstance, { kind: 'attach' }>,
  send: (message: FromInstance) => void,
): Promise<void> {
  attached.set(key, 'loading')
  const session = await createSession(modelPath, choices).catch(() => undefined)
  const filesNow = await fingerprint(dirname(modelPath)).catch(() => undefined)
  // It may have been detached meanwhile.
  if (session !== undefined && filesNow === files && attached.has(key)) {
    attached.set(key, session)
    send({ kind: 'attached', key })
  } else {
    attached.delete(key)
    await session?.close()
  }
}

function findLoaded(attached: Attached, key: number): Session | undefined {
  const found = attached.get(key)
  return found === 'loading' ? undefined : found
}

interface Sessions {
  readonly session: Session
  readonly attached: Attached
}

async function answer(
  { session, attached }: Sessions,
  { buffer, inputs, outputNames, followUps }: BatchRun,
  send: (message: FromInstance, moved?: ArrayBuffer[]) => void,
): Promise<void> {
  try {
    const tensors = inputs.map(({ name, datatype, shape, offset, byteLength }): NamedTensor => {
      const type = toElementType(datatype)
      if (type === undefined) throw new Error(`The runtime takes no ${datatype}.`)
      const elements = viewElements(type, { buffer, offset, byteLength })
      return { name, type, dims: shape, elements }
    })
    const inputEndNs = nowNs()
    const results = await session.run(tensors)
    const outputStartNs = nowNs()
    const followed = await runFollowUps(attached, followUps, results)
    const followUpsNs = followUps.length === 0 ? 0 : nowNs() - outputStartNs
    const outputs = toOutputs(results, outputNames)
    send(
      { kind: 'executed', outputs, inputEndNs, outputStartNs, followUps: followed, followUpsNs },
      movable([...outputs, ...followed.flatMap((one) => one.outputs)]),
    )
  } catch (error) {
    const message = withoutSourcePath(error instanceof Error ? error.message : String(error))
    send({ kind: 'run-failed', message })
  }
}

async function runFollowUps(
  attached: Attached,
  followUps: readonly FollowUpRun[],
  batchResults: readonly NamedTensor[],
): Promise<readonly FollowUpResult[]> {
  const given: (readonly NamedTensor[])[] = []
  const followed: FollowUpResult[] = []
  try {
    for (const { key, inputs, outputNames } of followUps) {
      const startNs = nowNs()
      const tensors = inputs.flatMap(({ name, from, output }) => {
        const source = from < 0 ? batchResults : given[from]
        const tensor = source?.find((one) => one.name === output)
        return tensor === undefined ? [] : { ...tensor, name }
      })
      const inputEndNs = nowNs()
      const results = await findLoaded(attached, key)?.run(tensors)
      if (results === undefined) break
      const inferNs = nowNs() - inputEndNs
      given.push(results)
      const outputs = toOutputs(results, outputNames)
      followed.push({ outputs, inputNs: inputEndNs - startNs, inferNs })
    }
  } catch {
    // Whoever asks for it gets the same error from the model's own thread.
  }
  return followed
}

function toOutputs(
  results: readonly NamedTensor[],
  outputNames: readonly string[],
): readonly OutputTensor[] {
  return results
    .filter(({ name }) => outputNames.includes(name))
    .map(({ name, type, dims, elements }): OutputTensor => {
      const shape = [...dims]
      return { name, datatype: toDatatype(type), shape, data: bytesOfElements(elements) }
    })
}

// What a graph hands through lies in the input's memory, and may do so twice.
function movable(outputs: readonly OutputTensor[]): ArrayBuffer[] {
  return [...new Set(outputs.map(({ data: bytes }) => bytes.buffer))].filter(
    (buffer) => buffer.byteLength > 0,
  )
}
