import { StatusError } from '../author/model.ts'
import { Rejection } from '../../rejection.ts'
import { toStatus } from '../../user-code/reply-head.ts'

/** How a call that threw is answered: its message and, unless it was meant for the caller, where it came from. */
export function replyToError(error: unknown): { readonly status: number; readonly text: string } {
  if (error instanceof Rejection) {
    return { status: error.status, text: JSON.stringify({ error: error.message }) }
  }
  if (!(error instanceof Error)) return { status: 500, text: String(error) }
  const status = 'statusCode' in error ? toStatus(error.statusCode) : 500
  const isMeant = error.name === StatusError.name && 'statusCode' in error
  return { status, text: isMeant ? error.message : `${error.message}\n${userStack(error)}` }
}

// What called user code is of no use to its author.
function userStack({ stack = '' }: Error): string {
  const lines = stack.split('\n')
  const own = lines.findIndex((line) =>
    /\/modelserver\/node\/worker\/|\bnode:internal\//.test(line),
  )
  return `${(own === -1 ? lines : lines.slice(0, own)).join('\n')}\n`
}
