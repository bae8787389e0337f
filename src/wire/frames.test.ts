import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameOutbox } from './frame-outbox.ts'
import { FrameReader } from './frame-reader.ts'
import {
  encodeHello,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameError,
  FRAMES_VERSION,
  LAST,
  parseNumberFrame,
  parseFailureFrame,
  parseReplyFrame,
  parseRequestFrame,
  REPLY_FAILURES,
  writeFrameHead,
} from './frames.ts'

/** One frame in words, so that sent and read ones can be compared. */
function readAll(chunks: readonly Buffer[]): unknown[] {
  const seen: unknown[] = []
  const reader = new FrameReader(
    (windowBytes) => seen.push({ hello: windowBytes }),
    ({ kind, flags, streamId, payload }) => seen.push({ streamId, flags, ...words(kind, payload) }),
  )
  for (const chunk of chunks) reader.read(chunk)
  return seen
}

function words(kind: number, payload: Buffer): object {
  switch (kind) {
    case FRAME.request: {
      const { headers, part, ...rest } = parseRequestFrame(payload)
      return { kind, ...rest, headers: { ...headers.all() }, part: hex(part) }
    }
    case FRAME.reply: {
      const { headers, part, ...rest } = parseReplyFrame(payload)
      return { kind, ...rest, headers: { ...headers.all() }, part: hex(part) }
    }
    case FRAME.replyFailed:
      return { kind, ...parseFailureFrame(payload) }
    case FRAME.credit:
    case FRAME.pace:
      return { kind, number: parseNumberFrame(payload) }
    default:
      return { kind, part: hex(payload) }
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
  const sorted = at.toSorted((a, b) => a - b)
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end))
}

const streamIds = fc.integer({ min: 1, max: 0xff_ff_ff_ff })
const parts = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.integer({ min: 15_000, max: 40_000 }).map((length) => new Uint8Array(length).fill(7)),
)
const latin1 = fc.string({
  unit: fc.integer({ min: 32, max: 255 }).map((c) => String.fromCharCode(c)),
})
const names = fc.oneof(
  fc.constantFrom('content-type', 'Accept', 'X-Amzn-SageMaker-Custom-Attributes', '__proto__'),
  fc.stringMatching(/^[A-Za-z-]{1,30}$/),
)
const headers = fc.dictionary(names, latin1, { maxKeys: 5, noNullPrototype: false })
const lowered = (given: Record<string, string>): Record<string, string> => {
  const joined: Record<string, string> = Object.create(null)
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase()
    joined[lower] = lower in joined ? `${joined[lower]}, ${value}` : value
  }
  return { ...joined }
}

/** A frame to send and what is to be read of it. */
const sent = fc.oneof(
  fc
    .record({ streamId: streamIds, headers, part: parts, isLast: fc.boolean(), ms: fc.nat() })
    .map(({ streamId, headers: given, part, isLast, ms }) => ({
      send: (outbox: FrameOutbox) => {
        const head = { timeLeftMs: ms + 0.5, bodyBytes: part.length, headers: given }
        outbox.request(streamId, head, Buffer.from(part), isLast)
      },
      expected: {
        kind: FRAME.request,
        streamId,
        flags: isLast ? LAST : 0,
        timeLeftMs: ms,
        bodyBytes: part.length,
        headers: lowered(given),
        part: hex(part),
      },
    })),
  fc
    .record({
      streamId: streamIds,
      headers,
      part: parts,
      status: fc.integer({ min: 200, max: 599 }),
    })
    .map(({ streamId, headers: given, part, status }) => ({
      send: (outbox: FrameOutbox) => {
        outbox.reply(streamId, { statusCode: status, headers: given }, part, true)
      },
      expected: {
        kind: FRAME.reply,
        streamId,
        flags: LAST,
        statusCode: status,
        headers: lowered(given),
        part: hex(part),
      },
    })),
  fc.record({ streamId: streamIds, part: parts }).map(({ streamId, part }) => ({
    send: (outbox: FrameOutbox) => outbox.replyData(streamId, part, false),
    expected: { kind: FRAME.replyData, streamId, flags: 0, part: hex(part) },
  })),
  fc.record({ streamId: streamIds, part: parts }).map(({ streamId, part }) => ({
    send: (outbox: FrameOutbox) => outbox.requestData(streamId, Buffer.from(part), true),
    expected: { kind: FRAME.requestData, streamId, flags: LAST, part: hex(part) },
  })),
  streamIds.map((streamId) => ({
    send: (outbox: FrameOutbox) => outbox.cancel(streamId),
    expected: { kind: FRAME.cancel, streamId, flags: 0, part: '' },
  })),
  streamIds.map((streamId) => ({
    send: (outbox: FrameOutbox) => outbox.replyEnd(streamId),
    expected: { kind: FRAME.replyEnd, streamId, flags: 0, part: '' },
  })),
  fc.record({ streamId: streamIds, byteCount: streamIds }).map(({ streamId, byteCount }) => ({
    send: (outbox: FrameOutbox) => outbox.credit(streamId, byteCount),
    expected: { kind: FRAME.credit, streamId, flags: 0, number: byteCount },
  })),
  fc.nat().map((callUs) => ({
    send: (outbox: FrameOutbox) => outbox.pace(callUs - 0.5),
    expected: { kind: FRAME.pace, streamId: 0, flags: 0, number: callUs },
  })),
  fc
    .record({
      streamId: streamIds,
      reason: fc.constantFrom(...REPLY_FAILURES),
      detail: fc.string(),
    })
    .map(({ streamId, reason, detail }) => ({
      send: (outbox: FrameOutbox) => outbox.replyFailed(streamId, reason, detail),
      expected: { kind: FRAME.replyFailed, streamId, flags: 0, reason, detail },
    })),
)

test('whatever is sent is read as it was, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(sent, { maxLength: 30 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (frames, cuts) => {
        const outbox = new FrameOutbox()
        outbox.hello(1234)
        for (const { send } of frames) send(outbox)
        const byteCount = outbox.byteCount
        const bytes = Buffer.concat(outbox.take())
        assert.equal(bytes.length, byteCount)
        assert.equal(outbox.byteCount, 0)
        const expected = [{ hello: 1234 }, ...frames.map((frame) => frame.expected)]
        assert.deepEqual(readAll(chunksOf(bytes, cuts)), expected)
      },
    ),
    { numRuns: 200 },
  )
})

test('bytes arriving one at a time make the same frames', () => {
  const outbox = new FrameOutbox()
  outbox.hello(1)
  outbox.replyData(7, Buffer.from('abc'), true)
  outbox.replyEnd(8)
  const bytes = Buffer.concat(outbox.take())
  const expected = [
    { hello: 1 },
    { kind: FRAME.replyData, streamId: 7, flags: LAST, part: hex(Buffer.from('abc')) },
    { kind: FRAME.replyEnd, streamId: 8, flags: 0, part: '' },
  ]
  assert.deepEqual(readAll([...bytes].map((byte) => Buffer.of(byte))), expected)
})

test('arbitrary bytes, and frames with bytes changed, end in frames or a FrameError, never in anything else', () => {
  const outbox = new FrameOutbox()
  outbox.hello(64)
  const head = { timeLeftMs: 5, bodyBytes: 3, headers: { accept: 'a/b', 'x-other': 'c' } }
  outbox.request(1, head, Buffer.from('123'), true)
  outbox.reply(1, { statusCode: 200, headers: head.headers }, Buffer.from('456'), false)
  outbox.replyFailed(1, 'expired', 'why')
  outbox.credit(2, 9)
  const good = Buffer.concat(outbox.take())
  const changed = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
    .map((changes) => {
      const bytes = Buffer.from(good)
      for (const [at, byte] of changes) bytes[at] = byte
      return bytes
    })
  const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
  const afterHello = noise.map((bytes) => Buffer.concat([helloFrame(), bytes]))
  fc.assert(
    fc.property(fc.oneof(changed, noise, afterHello), (bytes) => {
      try {
        readAll([bytes])
      } catch (error) {
        if (!(error instanceof FrameError)) throw error
      }
    }),
    { numRuns: 3000 },
  )
})

function helloFrame(payload = encodeHello(1)): Buffer {
  const head = Buffer.alloc(10)
  const frame = { payloadBytes: payload.length, streamId: 0, kind: FRAME.hello, flags: 0 }
  writeFrameHead(head, 0, frame)
  return Buffer.concat([head, payload])
}

function frameHead(given: Partial<Parameters<typeof writeFrameHead>[2]>): Buffer {
  const head = Buffer.alloc(10)
  const frame = { payloadBytes: 0, streamId: 1, kind: FRAME.cancel, flags: 0, ...given }
  writeFrameHead(head, 0, frame)
  return head
}

const otherVersion = encodeHello(1)
otherVersion.writeUInt16LE(FRAMES_VERSION + 1, 4)

const REFUSED = [
  { given: 'no hello', bytes: frameHead({}), message: /hello is missing/ },
  { given: 'two hellos', bytes: Buffer.concat([helloFrame(), helloFrame()]), message: /repeated/ },
  { given: 'another version', bytes: helloFrame(otherVersion), message: /speaks frames 2/ },
  {
    given: 'another protocol',
    bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    message: /longer|hello/,
  },
  {
    given: 'a frame that announces more than a frame holds',
    bytes: Buffer.concat([helloFrame(), frameHead({ payloadBytes: FRAME_PAYLOAD_BYTES_MAX + 1 })]),
    message: /longer than frames may be/,
  },
  {
    given: 'an unknown kind',
    bytes: Buffer.concat([helloFrame(), frameHead({ kind: 99 })]),
    message: /kind 99/,
  },
  {
    given: 'a frame on stream 0',
    bytes: Buffer.concat([helloFrame(), frameHead({ streamId: 0 })]),
    message: /on stream 0/,
  },
] as const

for (const { given, bytes, message } of REFUSED) {
  test(`refused: ${given}`, () => {
    assert.throws(() => readAll([bytes]), message)
  })
}

test('headers that cannot be said add nothing to the outbox', () => {
  const outbox = new FrameOutbox()
  const long = { statusCode: 200, headers: { a: 'x'.repeat(70_000) } }
  assert.throws(() => outbox.reply(1, long, Buffer.alloc(0), true), FrameError)
  const many = Object.fromEntries(
    Array.from({ length: 3 }, (_, n) => [`n${n}`, 'x'.repeat(30_000)]),
  )
  const head = { timeLeftMs: 1, bodyBytes: 0, headers: many }
  assert.throws(() => outbox.request(1, head, Buffer.alloc(0), true), FrameError)
  outbox.cancel(3)
  assert.equal(Buffer.concat(outbox.take()).length, 10)
})

test('one header is found without the others', () => {
  const outbox = new FrameOutbox()
  const given = { 'x-other': 'a', 'Content-Type': 'text/csv', accept: 'b' }
  outbox.request(1, { timeLeftMs: 1, bodyBytes: 0, headers: given }, Buffer.alloc(0), true)
  const { headers: block } = parseRequestFrame(Buffer.concat(outbox.take()).subarray(10))
  assert.equal(block.find('content-type'), 'text/csv')
  assert.equal(block.find('accept'), 'b')
  assert.equal(block.find('x-amzn-sagemaker-session-id'), undefined)
})

test('what was taken is not changed by later frames', () => {
  const outbox = new FrameOutbox()
  outbox.replyData(1, Buffer.from('first'), true)
  const [taken = Buffer.alloc(0)] = outbox.take()
  const before = hex(taken)
  for (let count = 0; count < 20; count += 1) outbox.replyData(2, Buffer.alloc(9_000, 1), true)
  assert.equal(hex(taken), before)
  assert.equal(outbox.byteCount, 20 * 9_010)
})
