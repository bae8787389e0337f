import { open } from 'node:fs/promises'
import type { Clock } from '../../ports/clock.ts'
import type { LogLine, LogRequest } from '../../ports/fleet-runtime.ts'
import { readTail } from './log-files.ts'
import type { LogFile, LogFiles } from './log-files.ts'

const FOLLOW_INTERVAL_MS = 200
const READ_BYTES_MAX = 256 * 1024
/** A line longer than this is given in pieces. */
const LINE_BYTES_MAX = 16 * 1024

/** How far one file has been read, and the beginning of a line that has not ended yet. */
interface Position {
  offset: number
  partial: Buffer
}

/**
 * The last lines of an endpoint's instances, those that are gone included, then what they write.
 *
 * Lines of one instance keep their order; between instances the order is that of the files' last change, because
 * containers write no times. Ends without an error when the signal aborts.
 */
export async function* readLogs(
  logs: LogFiles,
  request: LogRequest,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<LogLine> {
  const positions = new Map<string, Position>()
  yield* await readLastLines(logs, request, positions)
  while (request.follow && !signal.aborted) {
    for (const file of await listWanted(logs, request)) {
      if (file.age === 0) yield* await readNewLines(file, positions)
    }
    await clock.sleep(FOLLOW_INTERVAL_MS, signal).catch(() => undefined)
  }
}

async function readLastLines(
  logs: LogFiles,
  request: LogRequest,
  positions: Map<string, Position>,
): Promise<readonly LogLine[]> {
  const { lineCount } = request
  const files = await listWanted(logs, request)
  const newestFirst = files.toSorted((a, b) => b.modifiedAtMs - a.modifiedAtMs || a.age - b.age)
  let lines: LogLine[] = []
  for (const file of newestFirst) {
    if (lines.length >= lineCount && file.age > 0) continue
    const tail = await readTail(file.path).catch(() => undefined)
    if (tail === undefined) continue
    positions.set(file.path, { offset: tail.endOffset, partial: Buffer.alloc(0) })
    lines = [...tail.lines.map((text) => lineOf(file, text)), ...lines]
  }
  return lineCount === 0 ? [] : lines.slice(-lineCount)
}

async function listWanted(
  logs: LogFiles,
  { endpointName, containerHostname }: LogRequest,
): Promise<readonly LogFile[]> {
  const files = await logs.list(endpointName)
  if (containerHostname === undefined) return files
  return files.filter((file) => file.containerHostname === containerHostname)
}

async function readNewLines(
  log: LogFile,
  positions: Map<string, Position>,
): Promise<readonly LogLine[]> {
  const position = positions.get(log.path) ?? { offset: 0, partial: Buffer.alloc(0) }
  positions.set(log.path, position)
  // Cut by a rotation: what is there now was written after it.
  if (log.bytes < position.offset) position.offset = 0
  if (log.bytes === position.offset) return []
  const chunk = await readChunk(log.path, position.offset).catch(() => Buffer.alloc(0))
  position.offset += chunk.length
  const pending = Buffer.concat([position.partial, chunk])
  const endOfLines = pending.lastIndexOf('\n') + 1
  const isTooLong = endOfLines === 0 && pending.length > LINE_BYTES_MAX
  const end = isTooLong ? pending.length : endOfLines
  position.partial = pending.subarray(end)
  const text = pending.toString('utf8', 0, end)
  if (text === '') return []
  return text
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => lineOf(log, line))
}

async function readChunk(path: string, offset: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(READ_BYTES_MAX),
      0,
      READ_BYTES_MAX,
      offset,
    )
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function lineOf({ instanceId, variantName, containerHostname }: LogFile, text: string): LogLine {
  const container = containerHostname === undefined ? {} : { containerHostname }
  return { instanceId, variantName, ...container, text }
}
