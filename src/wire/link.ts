import { MODEL_ASKS, MODEL_NEWS } from '../domain/multi-model/model-messages.ts'
import type { ModelAsk, ModelNews } from '../domain/multi-model/model-messages.ts'
import type { EndpointRoute } from '../domain/routes.ts'

/*
 * The link between control and its gateways: one JSON object a line, both ways, over a Unix socket.
 *
 *   gateway → control   hello, then a report a second and one at once after each change of the routes
 *   control → gateway   the snapshot of all routes, then one change after the other
 *
 * What both say about the models of multi-model endpoints goes between: `domain/multi-model/model-messages.ts`.
 *
 * Both ends are of the same installation but may be of two versions of Berth while it is upgraded: unknown kinds and
 * unknown members are ignored.
 */

/** What control tells a gateway. Versions count up within one connection's control process. */
export type ControlMessage =
  | {
      readonly kind: 'snapshot'
      readonly version: number
      readonly routes: readonly EndpointRoute[]
    }
  | { readonly kind: 'put'; readonly version: number; readonly route: EndpointRoute }
  | { readonly kind: 'remove'; readonly version: number; readonly endpointName: string }

/** What a gateway tells control. */
export type GatewayMessage =
  | ({ readonly kind: 'hello' } & GatewayIdentity)
  | ({ readonly kind: 'report' } & GatewayReport)
  | ({ readonly kind: 'observation' } & InstanceObservation)
  | ModelAsk

/** Which process is at the other end. */
export interface GatewayIdentity {
  readonly gatewayId: string
  readonly pid: number
  readonly host: string
  /** The public port it listens on. */
  readonly port: number
  /** Of Berth. */
  readonly programVersion: string
}

/** What a gateway has applied and done so far. Counters count up from its start. */
export interface GatewayReport {
  /** Version last applied on this connection; 0 before its snapshot. */
  readonly routeVersion: number
  /** Instances with outstanding invocations, those that left the routes included. */
  readonly outstandingByInstance: Readonly<Record<string, number>>
  readonly totals: GatewayTotals
  /** Variants whose counters changed since the previous report on this connection. */
  readonly variants: readonly VariantCounters[]
}

/** State of the whole process. */
export interface GatewayTotals extends InvocationCounters {
  readonly connectionCount: number
  readonly waitingCount: number
  /** Bodies held in memory. */
  readonly bufferedBytes: number
  readonly residentBytes: number
}

/** What happened to invocations, by SageMaker's metric names. */
export interface InvocationCounters {
  readonly invocationCount: number
  /** `Invocation4XXErrors`: refused by Berth or answered with 4xx by the container. */
  readonly error4xxCount: number
  /** `Invocation5XXErrors`. */
  readonly error5xxCount: number
  /** `ModelLatency`: from forwarding to the container's last byte, microseconds, summed. */
  readonly modelLatencyMicrosSum: number
  /** `OverheadLatency`: everything else, microseconds, summed. */
  readonly overheadMicrosSum: number
}

/** Counters of one variant. */
export interface VariantCounters extends InvocationCounters {
  readonly endpointName: string
  readonly variantName: string
  /** Of each container that has had invocations, where there are several; absent where there is one. */
  readonly containers?: readonly ContainerCounters[]
}

/**
 * Counters of one of several containers. Its model latency is `ContainerLatency`; of a chain it counts the invocations that
 * came as far, and the platform's overhead is the variant's alone.
 */
export interface ContainerCounters extends InvocationCounters {
  readonly containerName: string
}

/** Something a gateway noticed about an instance before its runtime may have. */
export interface InstanceObservation {
  readonly endpointName: string
  readonly instanceId: string
  readonly observed: 'connection-refused'
  readonly detail: string
}

/** One message as a line. */
export function encodeLinkMessage(message: ControlMessage | ModelNews | GatewayMessage): string {
  return `${JSON.stringify(message)}\n`
}

/** @returns undefined for a kind this version does not know. @throws Error when the line is no link message. */
export function parseControlMessage(line: string): ControlMessage | ModelNews | undefined {
  const message = parseObject(line)
  if (MODEL_NEWS.has(message['kind'])) return message as unknown as ModelNews
  switch (message['kind']) {
    case 'snapshot':
      if (isVersion(message['version']) && isRoutes(message['routes'])) {
        return message as unknown as ControlMessage
      }
      break
    case 'put':
      if (isVersion(message['version']) && isRoute(message['route'])) {
        return message as unknown as ControlMessage
      }
      break
    case 'remove':
      if (isVersion(message['version']) && typeof message['endpointName'] === 'string') {
        return message as unknown as ControlMessage
      }
      break
    default:
      return undefined
  }
  throw new Error(`A ${message['kind']} message lacks a member: ${line.slice(0, 200)}`)
}

/** @returns undefined for a kind this version does not know. @throws Error when the line is no link message. */
export function parseGatewayMessage(line: string): GatewayMessage | undefined {
  const message = parseObject(line)
  if (MODEL_ASKS.has(message['kind'])) return message as unknown as ModelAsk
  switch (message['kind']) {
    case 'hello':
      if (typeof message['gatewayId'] === 'string' && isVersion(message['pid'])) {
        return message as unknown as GatewayMessage
      }
      break
    case 'report':
      if (isVersion(message['routeVersion']) && isObject(message['outstandingByInstance'])) {
        return message as unknown as GatewayMessage
      }
      break
    case 'observation':
      if (typeof message['instanceId'] === 'string') return message as unknown as GatewayMessage
      break
    default:
      return undefined
  }
  throw new Error(`A ${message['kind']} message lacks a member: ${line.slice(0, 200)}`)
}

/** The route table as it lies on disk, for gateways that start while control is gone. */
export interface RouteSnapshot {
  readonly version: number
  readonly routes: readonly EndpointRoute[]
}

/** The text of a snapshot file. */
export function encodeRouteSnapshot(snapshot: RouteSnapshot): string {
  return JSON.stringify(snapshot)
}

/** @returns undefined when the text is not a whole snapshot. */
export function parseRouteSnapshot(text: string): RouteSnapshot | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(parsed) || !isVersion(parsed['version']) || !isRoutes(parsed['routes'])) {
    return undefined
  }
  return { version: parsed['version'], routes: parsed['routes'] }
}

/** A running gateway as its record file says; the file is named after its id and goes with a clean exit. */
export interface GatewayRecord extends GatewayIdentity {
  /** See `ProcessIdentity`: tells the process from a later one with the same pid. */
  readonly startToken: string
}

/** The text of a record file. */
export function encodeGatewayRecord(record: GatewayRecord): string {
  return `${JSON.stringify(record)}\n`
}

/** Cuts a byte stream into lines. A line longer than the limit is an error of the other side. */
export class LineReader {
  readonly #lineLengthMax: number
  #pieces: string[] = []
  #length = 0

  constructor(lineLengthMax: number) {
    this.#lineLengthMax = lineLengthMax
  }

  /** The lines that `text` completes. @throws Error when a line is too long. */
  read(text: string): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#keep(text.slice(start, end))
      lines.push(this.#pieces.join(''))
      this.#pieces = []
      this.#length = 0
      start = end + 1
    }
    if (start < text.length) this.#keep(text.slice(start))
    return lines
  }

  #keep(piece: string): void {
    this.#length += piece.length
    if (this.#length > this.#lineLengthMax) {
      throw new Error(`A line of the link exceeds ${this.#lineLengthMax} characters.`)
    }
    this.#pieces.push(piece)
  }
}

function parseObject(line: string): Record<string, unknown> {
  const parsed: unknown = JSON.parse(line)
  if (!isObject(parsed)) throw new Error(`Not a link message: ${line.slice(0, 200)}`)
  return parsed
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isVersion(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isRoutes(value: unknown): value is readonly EndpointRoute[] {
  return Array.isArray(value) && value.every(isRoute)
}

function isRoute(value: unknown): value is EndpointRoute {
  return (
    isObject(value) &&
    typeof value['endpointName'] === 'string' &&
    Array.isArray(value['variants']) &&
    value['variants'].every(
      (variant) =>
        isObject(variant) &&
        typeof variant['variantName'] === 'string' &&
        typeof variant['weight'] === 'number' &&
        Array.isArray(variant['instances']),
    )
  )
}
