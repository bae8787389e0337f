/** Bounds of one gateway. Given on the command line as one JSON object with these names. */
export interface GatewayLimits {
  /** Of a request and of a reply that does not stream. */
  readonly bodyBytesMax: number
  /** Request bodies held at a time, all invocations together. */
  readonly bufferedBytesMax: number
  /** From the end of the request's head to its last byte; for other operations, the longest silence. */
  readonly bodyTimeoutMs: number
  readonly invocationTimeoutMs: number
  readonly streamTimeoutMs: number
  /** Waiting invocations per variant. */
  readonly waitingMax: number
  readonly slotsPerInstance: number
  /** Within which an answer is useful; 0: within `invocationTimeoutMs`. */
  readonly objectiveMs: number
  /** Whether invocations that cannot be answered in time are rejected at once. */
  readonly shedding: 'on' | 'off'
  /** How long an invocation waits while no instance of its variant accepts connections. */
  readonly unreadyWaitMs: number
  readonly connectionsMax: number
  readonly headersTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Outstanding invocations that a stopping gateway waits for. */
  readonly drainTimeoutMs: number
  /** A gateway whose control has been away for so long stops by itself; 0 is never. */
  readonly orphanGraceMs: number
  /** What instances are spoken to with; those that announce no frames get HTTP either way. */
  readonly transport: 'frames' | 'http'
  /** Whether the event loop stays awake while a small model answers. */
  readonly polling: 'on' | 'off'
  /** Who reads invocations: the strict reader of regular heads, or node's HTTP server, which reads all others anyway. */
  readonly front: 'strict' | 'node'
}

// Limits that are no numbers, and what each may be.
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  transport: ['frames', 'http'],
  polling: ['on', 'off'],
  shedding: ['on', 'off'],
  front: ['strict', 'node'],
}

/** SageMaker's limits where it has them. */
export const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytesMax: 6_291_456,
  bufferedBytesMax: 268_435_456,
  bodyTimeoutMs: 60_000,
  invocationTimeoutMs: 60_000,
  streamTimeoutMs: 480_000,
  waitingMax: 100,
  slotsPerInstance: 64,
  objectiveMs: 0,
  shedding: 'on',
  unreadyWaitMs: 5_000,
  connectionsMax: 20_000,
  headersTimeoutMs: 10_000,
  idleTimeoutMs: 65_000,
  drainTimeoutMs: 25_000,
  orphanGraceMs: 0,
  transport: 'frames',
  polling: 'on',
  front: 'strict',
}

/** @throws Error naming each member that is unknown, not a whole number of 0 or more, or not one of its choices. */
export function parseLimits(json: string): GatewayLimits {
  const given: unknown = JSON.parse(json)
  if (typeof given !== 'object' || given === null) throw new Error('Limits must be a JSON object.')
  const limits: Record<string, number | string> = { ...DEFAULT_LIMITS }
  const problems: string[] = []
  for (const [name, value] of Object.entries(given)) {
    const choices = CHOICES[name]
    if (!(name in DEFAULT_LIMITS)) problems.push(`${name} is not a limit of a gateway`)
    else if (choices !== undefined) {
      if (typeof value === 'string' && choices.includes(value)) limits[name] = value
      else problems.push(`${name} is ${JSON.stringify(value)}; expected ${choices.join(' or ')}`)
    } else if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      problems.push(`${name} is ${JSON.stringify(value)}; expected a whole number`)
    } else limits[name] = value
  }
  if (problems.length > 0) throw new Error(`${problems.join('; ')}.`)
  return { ...DEFAULT_LIMITS, ...limits }
}
