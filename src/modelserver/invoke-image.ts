import { errorReply } from './image.ts'
import type { Image, Invocation, Reply } from './image.ts'
import type { Log } from './log.ts'
import { Rejection } from './rejection.ts'

/** What an invocation is surrounded by. */
export interface Surroundings {
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal
  readonly log: Log
}

/** Asks an image, and makes a reply of whatever goes wrong. @throws Error only when the caller is gone. */
export async function invokeImage(
  image: Image,
  invocation: Invocation,
  { signal, log }: Surroundings,
): Promise<Reply> {
  try {
    return await image.invoke(invocation, signal)
  } catch (error) {
    return replyToFailure(error, { signal, log })
  }
}

/** The reply to a request that failed. @throws Error the given one, when the caller is gone. */
export function replyToFailure(error: unknown, { signal, log }: Surroundings): Reply {
  if (error instanceof Rejection) return errorReply(error.status, error.message)
  if (signal.aborted) throw error
  log('error', 'invocation failed by a bug', { reason: stackOf(error) })
  return errorReply(500, 'The model server failed; its log says how.')
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
