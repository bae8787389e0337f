import type { WorkerKind } from '../user-code/user-worker.ts'
import { INVOKE, parseWorkerMessage } from './messages.ts'
import { PythonWorker } from './python-worker.ts'
import type { PythonLaunch } from './python-worker.ts'

/** Python processes that run `berth_worker.sagemaker`. */
export function pythonWorkers(launch: Omit<PythonLaunch, 'program'>): WorkerKind {
  return {
    name: 'Python worker',
    // Its interrupts name no call.
    aheadMax: 0,
    start: ({ onMessage, onExit }) => {
      const worker = new PythonWorker(
        { ...launch, program: 'sagemaker' },
        {
          onFrame: (frame) => onMessage(frame.callId, parseWorkerMessage(frame), frame.body),
          onExit,
        },
      )
      return {
        run: (callId, head, body) => worker.send(INVOKE, callId, head, body),
        takeBack: () => false,
        interrupt: () => worker.interrupt(),
        pause: () => worker.pause(),
        resume: () => worker.resume(),
        kill: () => worker.kill(),
        close: () => worker.close(),
      }
    },
  }
}
