/**
 * The thread of one instance of an ONNX model: loads it once, then runs one batch at a time. A run blocks this thread, so
 * nothing else happens here.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { NamedTensor } from '../../codecs/tensor.ts'
import { explainLoadError, withoutSourcePath } from '../../onnx/load-failure.ts'
import { createSession } from '../../onnx/session.ts'
import type { Session } from '../../onnx/session.ts'
import { StartFailure } from '../../start-failure.ts'
import { nowNs } from '../clock.ts'
import { bytesOfElements, toDatatype, toElementType, viewElements } from './element-bytes.ts'
import type { FromInstance, InstanceData, OutputTensor, ToInstance } from './instance-messages.ts'

if (parentPort === null) throw new Error('This is the program of a thread.')
const data: InstanceData = workerData
await runInstance(parentPort)

async function runInstance(port: MessagePort): Promise<void> {
  const send = (message: FromInstance, moved: ArrayBuffer[] = []): void =>
    port.postMessage(message, moved)
  try {
    const session = await createSession(data.modelPath, data.choices)
    port.on('message', (run: ToInstance) => void answer(session, run, send))
    send({ kind: 'loaded', signature: session.signature })
  } catch (error) {
    const failure = error instanceof StartFailure ? error : explainLoadError('model.onnx', error)
    send({ kind: 'failed', message: failure.message })
  }
}

async function answer(
  session: Session,
  { buffer, inputs, outputNames }: ToInstance,
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
    const outputs = results
      .filter(({ name }) => outputNames.includes(name))
      .map(({ name, type, dims, elements }): OutputTensor => {
        const shape = [...dims]
        return { name, datatype: toDatatype(type), shape, data: bytesOfElements(elements) }
      })
    send({ kind: 'executed', outputs, inputEndNs, outputStartNs }, movable(outputs))
  } catch (error) {
    const message = withoutSourcePath(error instanceof Error ? error.message : String(error))
    send({ kind: 'run-failed', message })
  }
}

// What a graph hands through lies in the input's memory, and may do so twice.
function movable(outputs: readonly OutputTensor[]): ArrayBuffer[] {
  return [...new Set(outputs.map(({ data: bytes }) => bytes.buffer))].filter(
    (buffer) => buffer.byteLength > 0,
  )
}
