import { Rejection } from '../rejection.ts'
import { parseInteger } from '../options.ts'
import { StartFailure } from '../start-failure.ts'

/** What `berth/echo` does once the count of good pings is used up. */
const PING_THEN = ['fail', 'exit', 'hang'] as const

/** Behaviour for the life of the container, from its environment. */
export interface EchoSettings {
  readonly pingStatus: number
  readonly pingDelayMs: number
  /** `undefined`: pings are good for ever. */
  readonly pingOkCount: number | undefined
  readonly pingThen: (typeof PING_THEN)[number]
  readonly startDelayMs: number
  readonly exitCode: number | undefined
  readonly exitAfterMs: number | undefined
}

const MS_MAX = 3_600_000
const ABSENT = -1

/**
 * Parses the `BERTH_ECHO_…` variables.
 *
 * @throws StartFailure `badOptions`: with every problem in one message.
 */
export function parseEchoSettings(env: Readonly<Record<string, string | undefined>>): EchoSettings {
  const problems: string[] = []
  const integer = (name: string, fallback: number, [min, max]: readonly [number, number]): number =>
    parseInteger({ name, text: env[name], fallback, min, max }, problems)
  const optional = (name: string, range: readonly [number, number]): number | undefined => {
    const value = integer(name, ABSENT, range)
    return value === ABSENT ? undefined : value
  }
  const thenText = env.BERTH_ECHO_PING_THEN ?? 'fail'
  const pingThen = PING_THEN.find((choice) => choice === thenText)
  const settings = {
    pingStatus: integer('BERTH_ECHO_PING_STATUS', 200, [200, 599]),
    pingDelayMs: integer('BERTH_ECHO_PING_DELAY_MS', 0, [0, MS_MAX]),
    pingOkCount: optional('BERTH_ECHO_PING_OK_COUNT', [0, 1_000_000_000]),
    pingThen: pingThen ?? 'fail',
    startDelayMs: integer('BERTH_ECHO_START_DELAY_MS', 0, [0, MS_MAX]),
    exitCode: optional('BERTH_ECHO_EXIT_CODE', [0, 255]),
    exitAfterMs: optional('BERTH_ECHO_EXIT_AFTER_MS', [0, MS_MAX]),
  }
  if (pingThen === undefined) {
    problems.push(`BERTH_ECHO_PING_THEN must be one of ${PING_THEN.join(', ')}, not ${thenText}`)
  }
  if (problems.length > 0) throw new StartFailure('badOptions', problems.join('; '))
  return settings
}

/** Behaviour of one invocation, from its custom attributes. */
export interface EchoOrders {
  readonly status: number
  readonly delayMs: number
  /** 0: the reply is not streamed. */
  readonly chunkCount: number
  readonly chunkDelayMs: number
  /** Chunks after which the connection is broken. */
  readonly breakAfterCount: number | undefined
  /** The reply has so many bytes instead of the request's. */
  readonly bodyBytes: number | undefined
  readonly mustExit: boolean
  readonly mustHang: boolean
  readonly showsRequest: boolean
  readonly echoesAttributes: boolean
}

const GIB = 1024 ** 3

/**
 * Parses `key=value;key=value`. Keys that are not orders are left alone: they may mean something to the test.
 *
 * @throws Rejection 400: an order's value is not an integer within its bounds.
 */
export function parseEchoOrders(attributes: string): EchoOrders {
  const texts = new Map(
    attributes.split(';').map((part): [string, string] => {
      const [key = '', value = ''] = part.split('=', 2)
      return [key.trim(), value.trim()]
    }),
  )
  const problems: string[] = []
  const integer = (name: string, fallback: number, [min, max]: readonly [number, number]): number =>
    parseInteger({ name, text: texts.get(name), fallback, min, max }, problems)
  const optional = (name: string, range: readonly [number, number]): number | undefined => {
    const value = integer(name, ABSENT, range)
    return value === ABSENT ? undefined : value
  }
  const orders = {
    status: integer('status', 200, [200, 599]),
    delayMs: integer('delay-ms', 0, [0, MS_MAX]),
    chunkCount: integer('chunks', 0, [0, 100_000]),
    chunkDelayMs: integer('chunk-delay-ms', 0, [0, MS_MAX]),
    breakAfterCount: optional('break-after', [0, 100_000]),
    bodyBytes: optional('size', [0, GIB]),
    mustExit: texts.get('exit') === '1',
    mustHang: texts.get('hang') === '1',
    showsRequest: texts.get('headers') === '1',
    echoesAttributes: texts.get('echo-attributes') === '1',
  }
  if (problems.length > 0) throw new Rejection(400, `Custom attributes: ${problems.join('; ')}.`)
  return orders
}
