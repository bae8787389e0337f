import { HEAD_BYTES_MAX, readHead } from '../../../src/wire/http-head.ts'
import type { HeadReading } from '../../../src/wire/http-head.ts'
import { generateRequest } from './generate.ts'
import { NodeReader } from './node-reader.ts'
import type { NodeReading } from './node-reader.ts'

// Bodies longer than that are not written out: what is read of them is compared, and the end is not.
const BODY_BYTES_MAX = 4_096
const BATCH_SIZE = 250
const NEXT_TARGET = '/endpoints/next/invocations'
const NEXT = Buffer.from(
  `POST ${NEXT_TARGET} HTTP/1.1\r\nHost: next\r\nContent-Length: 2\r\n\r\n42`,
)

/** How often the reader under test said what. */
export interface Tally {
  readonly head: number
  readonly incomplete: number
  readonly handOver: number
}

/**
 * Reads generated requests with our reader and with node's, and compares wherever ours claims to understand.
 *
 * @param onDisagreement hears the seed that generates the bytes, and what differs.
 */
export async function compareReaders(
  seeds: Iterable<number>,
  onDisagreement: (seed: number, what: string) => void,
): Promise<Tally> {
  const node = new NodeReader(HEAD_BYTES_MAX)
  const tally = { head: 0, incomplete: 0, handOver: 0 }
  let batch: Trial[] = []
  const compareBatch = async (): Promise<void> => {
    const readings = await node.read(batch.map(({ bytes }) => bytes))
    for (const [index, { seed, compare }] of batch.entries()) {
      const reading = readings[index]
      const what = reading === undefined ? 'no reading' : compare(reading)
      if (what !== undefined) onDisagreement(seed, what)
    }
    batch = []
  }
  for (const seed of seeds) {
    const bytes = generateRequest(seed)
    const ours = readHead(bytes, 0)
    tally[ours.kind === 'hand-over' ? 'handOver' : ours.kind] += 1
    batch.push(...planTrials(seed, bytes, ours))
    if (batch.length >= BATCH_SIZE) await compareBatch()
  }
  await compareBatch()
  return tally
}

interface Trial {
  readonly seed: number
  readonly bytes: Buffer
  readonly compare: (reading: NodeReading) => string | undefined
}

function planTrials(seed: number, bytes: Buffer, ours: HeadReading): Trial[] {
  switch (ours.kind) {
    case 'hand-over':
      return []
    case 'incomplete':
      return [{ seed, bytes, compare: compareIncomplete }]
    case 'head': {
      const asSent: Trial = { seed, bytes, compare: (reading) => compareHead(bytes, ours, reading) }
      if (ours.contentLength > BODY_BYTES_MAX) return [asSent]
      // The same request with its body filled up, and a known request after what we take for its end.
      const body = Buffer.alloc(ours.contentLength, 'x')
      bytes.copy(body, 0, ours.headEnd, ours.headEnd + ours.contentLength)
      const followed = Buffer.concat([bytes.subarray(0, ours.headEnd), body, NEXT])
      return [
        asSent,
        { seed, bytes: followed, compare: (reading) => compareNext(ours, body, reading) },
      ]
    }
  }
}

// Node may refuse a line before it has come to its end; ours hands it over at its end.
function compareIncomplete({ requests }: NodeReading): string | undefined {
  return requests.length > 0 ? 'ours waits for more, node has a request' : undefined
}

type Head = Extract<HeadReading, { kind: 'head' }>

function compareHead(bytes: Buffer, ours: Head, reading: NodeReading): string | undefined {
  const [request] = reading.requests
  if (request === undefined) return `ours has a request, node says ${reading.errorCode}`
  const { method, target, rawHeaders } = request
  const theirs = JSON.stringify({ method, target, rawHeaders })
  const own = JSON.stringify({
    method: ours.method,
    target: ours.target,
    rawHeaders: ours.rawHeaders,
  })
  if (theirs !== own) return `ours ${own}, node ${theirs}`
  const end = ours.headEnd + ours.contentLength
  const body = bytes.subarray(ours.headEnd, end)
  if (!request.body().equals(body)) return 'the bodies differ'
  if (request.isComplete() !== bytes.length >= end) return 'the ends of the bodies differ'
  return undefined
}

function compareNext(ours: Head, body: Buffer, reading: NodeReading): string | undefined {
  const [request, next, ...more] = reading.requests
  if (reading.errorCode !== undefined) return `followed by a request: ${reading.errorCode}`
  if (request === undefined || next === undefined) return 'node does not see the next request'
  if (request.target !== ours.target || !request.body().equals(body)) return 'the bodies differ'
  if (!request.isComplete()) return 'node waits for more of the body'
  const isExact = next.method === 'POST' && next.target === NEXT_TARGET
  if (!isExact || next.body().toString() !== '42' || more.length > 0) return 'the next one differs'
  return undefined
}
