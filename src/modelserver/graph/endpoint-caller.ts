import type { Buffer } from 'node:buffer'
import { GRAPH_DEPTH_HEADER } from '../../domain/graph/depth.ts'
import { createHttpTransport } from '../../gateway/http-transport.ts'
import type { Transport } from '../../gateway/transport.ts'
import { SigningKeyCache } from '../../wire/sigv4-keys.ts'
import { signRequest } from '../../wire/sigv4-sign.ts'
import type { Signer } from '../../wire/sigv4-sign.ts'
import { callTransport } from './call-transport.ts'
import type { CallReply } from './call-transport.ts'
import { NodeFailure } from './node-failure.ts'

/** The platform that a graph calls, and as whom. */
export interface Platform {
  readonly url: URL
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
}

/** One call of a target. */
export interface TargetCall {
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly depth: number
}

/** Calls one target. @throws NodeFailure; whatever the signal aborted with. */
export type CallTargetOf = (call: TargetCall, signal: AbortSignal) => Promise<CallReply>

// As many as a gateway gives one client without thinking; more wait here.
const CONNECTIONS_MAX = 256

/** Calls an endpoint of the platform by InvokeEndpoint, signed. */
export function createEndpointCaller(name: string, platform: Platform): CallTargetOf {
  const { url, ...keys } = platform
  const address = { kind: 'tcp', host: url.hostname, port: Number(url.port || 80) } as const
  const path = `/endpoints/${name}/invocations`
  const transport: Transport = createHttpTransport(address, CONNECTIONS_MAX, path)
  const signer: Signer = { ...keys, service: 'sagemaker', signingKeys: new SigningKeyCache() }
  return async ({ headers, body, depth }, signal) => {
    const unsigned = { ...headers, host: url.host, [GRAPH_DEPTH_HEADER]: String(depth + 1) }
    const request = { method: 'POST', path, headers: unsigned, body }
    const signed = signRequest(request, signer, Date.now())
    const reply = await callTransport(
      transport,
      `endpoint ${name}`,
      { headers: signed, body },
      signal,
    )
    if (reply.status < 300) return reply
    throw failureOf(name, reply)
  }
}

// A model's own refusal of its input is the caller's to know.
function failureOf(name: string, { status, body }: CallReply): NodeFailure {
  const text = body.toString('utf8')
  const parsed = parseObject(text)
  const original = parsed.OriginalStatusCode
  const message = parsed.OriginalMessage ?? parsed.Message ?? parsed.message ?? text
  const shown = typeof message === 'string' ? errorIn(message).slice(0, 500) : ''
  const isInput = typeof original === 'number' && original >= 400 && original < 500
  const own = status === 503 ? 503 : 502
  const said = typeof original === 'number' ? original : status
  return new NodeFailure(
    `The endpoint ${name} answered ${said}: ${shown}`,
    isInput ? original : own,
  )
}

// Built-in images, graphs among them, answer `{"error": sentence}`.
function errorIn(message: string): string {
  const { error } = parseObject(message)
  return typeof error === 'string' ? error : message
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return { ...Object(JSON.parse(text)) }
  } catch {
    return {}
  }
}
