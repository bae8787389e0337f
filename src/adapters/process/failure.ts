import type { StartFailureCause } from '../../domain/fleet.ts'
import { ERRORS, isBerthError } from '../../domain/errors.ts'

/** How the leader of an instance's process group ended. Both absent: nobody was there to see it. */
export interface ProcessExit {
  readonly code: number | undefined
  readonly signal: string | undefined
}

/** What ended an instance that was wanted. */
export interface InstanceFailure {
  readonly cause: StartFailureCause
  /** Hostname of the container, where there are several. */
  readonly container?: string
  readonly reason: string
  readonly permanent: boolean
  readonly exit: ProcessExit | undefined
}

/** An instance cannot be started. */
export class StartError extends Error {
  readonly failure: InstanceFailure

  constructor(failure: Omit<InstanceFailure, 'exit'>) {
    super(failure.reason)
    this.name = 'StartError'
    this.failure = { ...failure, exit: undefined }
  }
}

const LOG_LINE_CHARS_MAX = 200

/** `exited with code 3`, with the last lines of its log; routine ones only if there are no others. */
export function describeExit(exit: ProcessExit, lastLines: readonly string[]): string {
  const how = describeEnd(exit)
  if (lastLines.length === 0) return `${how}; it logged nothing`
  const telling = lastLines.filter((line) => !isRoutine(line))
  const lines = (telling.length > 0 ? telling : lastLines).map((line) =>
    line.slice(0, LOG_LINE_CHARS_MAX),
  )
  return `${how}; last log lines:\n${lines.join('\n')}`
}

// Structured lines below a warning, as pino, Winston and our own model server write them.
function isRoutine(line: string): boolean {
  return /^\{.*"level":\s*("(trace|debug|info)"|[123]0\b)/i.test(line)
}

function describeEnd({ code, signal }: ProcessExit): string {
  if (signal !== undefined) return `was killed by ${signal}`
  if (code !== undefined) return `exited with code ${code}`
  return 'ended while control was not its parent (exit code unknown)'
}

/** What model data that could not be prepared means for the instance. */
export function modelDataFailure(error: unknown, timeoutMs: number): StartError {
  if (error instanceof Error && error.name === 'TimeoutError') {
    const reason = `Model data was not downloaded and unpacked within ${timeoutMs / 1000} s.`
    return new StartError({ cause: 'model-data', reason, permanent: false })
  }
  const reason = error instanceof Error ? error.message : String(error)
  const permanent = isBerthError(error) && !ERRORS[error.code].retryable
  return new StartError({ cause: 'model-data', reason, permanent })
}
