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

/** What the worker's program `berth_worker.sagemaker` says. */
export type WorkerMessage =
  | { readonly kind: 'loaded'; readonly model: string; readonly python: string }
  | { readonly kind: 'load-failed'; readonly message: string }
  | { readonly kind: 'reply' | 'reply-start'; readonly status: number; readonly headers: Headers }
  | { readonly kind: 'reply-data' | 'reply-end' | 'cancelled' }
  | { readonly kind: 'reply-broken'; readonly message: string }

type Headers = Readonly<Record<string, string>>

/** A frame's meaning. @throws Error when it has none. */
export function parseWorkerMessage({ kind, head }: WorkerFrame): WorkerMessage {
  const name = KINDS[kind - 1]
  if (name === undefined) throw new Error(`A Python worker does not send frames of kind ${kind}.`)
  switch (name) {
    case 'loaded':
      return { kind: name, model: textOf(head, 'model'), python: textOf(head, 'python') }
    case 'load-failed':
    case 'reply-broken':
      return { kind: name, message: textOf(head, 'message') }
    case 'reply':
    case 'reply-start':
      return { kind: name, status: statusOf(head), headers: headersOf(head) }
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

// User code may set any status; one that HTTP does not have is the model's failure.
function statusOf(head: unknown): number {
  const status = Number(fieldOf(head, 'status'))
  return Number.isInteger(status) && status >= 200 && status <= 599 ? status : 500
}

function headersOf(head: unknown): Headers {
  const headers = fieldOf(head, 'headers')
  if (typeof headers !== 'object' || headers === null) return {}
  const entries = Object.entries(headers).map(([name, value]) => [name, headerText(value)] as const)
  return Object.fromEntries(entries)
}

// A line end in a header would begin another one.
function headerText(value: unknown): string {
  return String(value).replaceAll(/[^\t\x20-\x7e\x80-\xff]+/g, ' ')
}
