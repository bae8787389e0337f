import { nowNs } from '../clock.ts'
import type { Enqueued } from '../enqueued.ts'

interface Followed {
  readonly name: string
  readonly version: number
  /** It does not compute; its steps do. */
  readonly isEnsemble: boolean
}

/** A request whose trace is written as it is run: from here until it is answered and its times are known, or it fails. */
export function followRequest(
  request: Enqueued,
  { name, version, isEnsemble }: Followed,
): Enqueued {
  const { trace } = request
  if (trace === undefined) return request
  let openCount = 2
  const close = (): void => {
    openCount -= 1
    if (openCount !== 0) return
    trace.recordTime('REQUEST_END', nowNs())
    trace.release()
  }
  trace.hold()
  trace.recordRequest({ modelName: name, version, requestId: request.id })
  trace.recordTime('REQUEST_START', request.requestStartNs)
  trace.recordTime('QUEUE_START', nowNs())
  trace.recordTensors('TENSOR_QUEUE_INPUT', request.inputs)
  return {
    ...request,
    respond: (response, isFinal) => {
      trace.recordTensors('TENSOR_BACKEND_OUTPUT', response.outputs)
      trace.recordTime('INFER_RESPONSE_COMPLETE', nowNs())
      request.respond(response, isFinal)
      if (isFinal) close()
    },
    fail: (error) => {
      request.fail(error)
      openCount = 1
      close()
    },
    onExecuted: (times) => {
      if (!isEnsemble) trace.recordExecution(times)
      request.onExecuted?.(times)
      close()
    },
  }
}
