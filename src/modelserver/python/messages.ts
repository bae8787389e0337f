import { toHeaders, toStatus } from '../user-code/reply-head.ts'
import type { WorkerMessage } from '../user-code/user-worker.ts'
import type { WorkerFrame } from './channel.ts'

/** Kinds of frames to `berth_worker.sagemaker`. */
export const INVOKE = 1

const KINDS = [
  'loaded',
  'load-failed',
  'reply',
  'reply-start',
  'reply-data',
  'reply-end',
  'reply-broken',
  'cancelled',
] as const

/** A frame's meaning. @throws Error when it has none. */
export function parseWorkerMessage({ kind, head }: WorkerFrame): WorkerMessage {
  const name = KINDS[kind - 1]
  if (name === undefined) throw new Error(`A Python worker does not send frames of kind ${kind}.`)
  switch (name) {
    case 'loaded':
      return { kind: name, model: textOf(head, 'model') }
    case 'load-failed':
    case 'reply-broken':
      return { kind: name, message: textOf(head, 'message') }
    case 'reply':
    case 'reply-start':
      return {
        kind: name,
        status: toStatus(fieldOf(head, 'status')),
        headers: toHeaders(fieldOf(head, 'headers')),
      }
    case 'reply-data':
    case 'reply-end':
    case 'cancelled':
      return { kind: name }
  }
}

function fieldOf(head: unknown, name: string): unknown {
  if (typeof head !== 'object' || head === null) return undefined
  return Object.entries(head).find(([key]) => key === name)?.[1]
}

function textOf(head: unknown, name: string): string {
  const value = fieldOf(head, name)
  return typeof value === 'string' ? value : ''
}
