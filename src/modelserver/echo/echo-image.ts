import { Buffer } from 'node:buffer'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImageFrames } from '../frames/image-frames.ts'
import { errorReply } from '../image.ts'
import type { Image, Invocation, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { parseEchoOrders, parseEchoSettings } from './echo-settings.ts'
import type { EchoOrders, EchoSettings } from './echo-settings.ts'

/** What `berth/echo` needs. */
export interface EchoImageOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly exit: Exit
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  readonly bodyBytesMax: number
  readonly log: Log
}

// Bodies that are being echoed.
const HELD_BYTES_MAX = 1024 * 1024 * 1024

/** Ends the process; the line is the last on stderr. */
export type Exit = (exitCode: number, lastLine: string) => void

const ATTRIBUTES_HEADER = 'x-amzn-sagemaker-custom-attributes'
const PIECE_BYTES = 64 * 1024
const ORDERED_EXIT_CODE = 1

/**
 * Starts `berth/echo`, the image of contract tests: it answers with what it was sent, and misbehaves on order.
 * The orders are listed in ECHO.md.
 *
 * @throws StartFailure `badOptions`: a `BERTH_ECHO_…` variable is out of bounds.
 */
export async function startEchoImage(options: EchoImageOptions): Promise<Image> {
  const { environment, exit } = options
  const settings = parseEchoSettings(environment)
  exitOnOrder(settings, exit)
  await sleep(settings.startDelayMs)
  let pingCount = 0
  const image: Image = {
    get frameSuffixes() {
      return frames.suffixes
    },
    usedCount: () => frames.servedCount,
    drain: () => frames.close(),
    close: () => Promise.resolve(),
    ping: async () => {
      pingCount += 1
      await sleep(settings.pingDelayMs)
      const isGood = settings.pingOkCount === undefined || pingCount <= settings.pingOkCount
      if (!isGood) return refusePing(settings, exit)
      if (settings.pingStatus === 200) return { status: 200, headers: {}, body: new Uint8Array() }
      return errorReply(settings.pingStatus, `BERTH_ECHO_PING_STATUS is ${settings.pingStatus}`)
    },
    invoke: (invocation, signal) => echo(invocation, signal, exit),
  }
  const frames = new ImageFrames(image, { ...options, heldBytesMax: HELD_BYTES_MAX })
  await frames.listen()
  return image
}

function exitOnOrder({ exitCode, exitAfterMs }: EchoSettings, exit: Exit): void {
  if (exitAfterMs !== undefined) {
    const lastLine = `berth/echo exits as BERTH_ECHO_EXIT_AFTER_MS=${exitAfterMs} asks`
    setTimeout(() => exit(exitCode ?? ORDERED_EXIT_CODE, lastLine), exitAfterMs).unref()
  } else if (exitCode !== undefined) {
    exit(exitCode, `berth/echo exits as BERTH_ECHO_EXIT_CODE=${exitCode} asks`)
  }
}

async function refusePing({ pingThen, pingOkCount }: EchoSettings, exit: Exit): Promise<Reply> {
  const reason = `BERTH_ECHO_PING_OK_COUNT=${pingOkCount} pings were good`
  if (pingThen === 'exit') exit(ORDERED_EXIT_CODE, `berth/echo exits: ${reason}`)
  if (pingThen === 'hang') await new Promise(() => undefined)
  return errorReply(503, reason)
}

async function echo(invocation: Invocation, signal: AbortSignal, exit: Exit): Promise<Reply> {
  const attributes = invocation.headers[ATTRIBUTES_HEADER] ?? ''
  const orders = parseEchoOrders(attributes)
  if (orders.mustExit)
    exit(ORDERED_EXIT_CODE, 'berth/echo exits as the custom attribute exit=1 asks')
  if (orders.mustHang) await sleep(2 ** 31 - 1, undefined, { signal })
  // A timer of nothing takes a millisecond.
  if (orders.delayMs > 0) await sleep(orders.delayMs, undefined, { signal })
  const { body, contentType, bodyBytes } = chooseBody(invocation, orders)
  const echoed: Record<string, string> = orders.echoesAttributes
    ? { [ATTRIBUTES_HEADER]: attributes }
    : {}
  const headers = {
    ...echoed,
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
  }
  if (orders.chunkCount > 0 || orders.breakAfterCount !== undefined) {
    return { status: orders.status, headers, body: chunks({ body, bodyBytes }, orders, signal) }
  }
  if (bodyBytes <= PIECE_BYTES) return { status: orders.status, headers, body: body(0, bodyBytes) }
  const pieceCount = Math.ceil(bodyBytes / PIECE_BYTES)
  const pieces = chunks(
    { body, bodyBytes },
    { ...orders, chunkCount: pieceCount, chunkDelayMs: 0 },
    signal,
  )
  return {
    status: orders.status,
    headers: { ...headers, 'content-length': String(bodyBytes) },
    body: pieces,
  }
}

interface EchoBody {
  /** Bytes from an offset to another. */
  readonly body: (start: number, end: number) => Buffer
  readonly bodyBytes: number
}

function chooseBody(
  { method, path, headers, body }: Invocation,
  orders: EchoOrders,
): EchoBody & { readonly contentType: string | undefined } {
  if (orders.bodyBytes !== undefined) {
    const contentType = 'application/octet-stream'
    return { body: letters, bodyBytes: orders.bodyBytes, contentType }
  }
  const shown = { method, path, headers, bodyBytes: body.length, pid: process.pid }
  const bytes = orders.showsRequest ? Buffer.from(JSON.stringify(shown)) : body
  const contentType = orders.showsRequest ? 'application/json' : headers['content-type']
  return { body: (start, end) => bytes.subarray(start, end), bodyBytes: bytes.length, contentType }
}

const ALPHABET = Buffer.from('abcdefghijklmnopqrstuvwxyz')

// The alphabet over and over: a byte tells its offset modulo 26, so a reader can see what is missing.
function letters(start: number, end: number): Buffer {
  const turn = start % ALPHABET.length
  const rotated = Buffer.concat([ALPHABET.subarray(turn), ALPHABET.subarray(0, turn)])
  return Buffer.alloc(end - start, rotated)
}

async function* chunks(
  { body, bodyBytes }: EchoBody,
  { chunkCount, chunkDelayMs, breakAfterCount }: EchoOrders,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const count = Math.max(1, chunkCount)
  for (let index = 0; index < count; index += 1) {
    if (index === breakAfterCount) throw new Error('the custom attribute break-after asks')
    if (index > 0) await sleep(chunkDelayMs, undefined, { signal })
    const start = Math.floor((bodyBytes * index) / count)
    const end = Math.floor((bodyBytes * (index + 1)) / count)
    if (end > start) yield body(start, end)
  }
  if (breakAfterCount !== undefined) throw new Error('the custom attribute break-after asks')
}
