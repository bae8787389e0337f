import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { CliFailure } from './failure.ts'
import { parseJson, textField } from './json.ts'
import type { Terminal } from './terminal/terminal.ts'

const TYPE_BY_EXTENSION: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.jsonl': 'application/jsonlines',
  '.ndjson': 'application/jsonlines',
  '.csv': 'text/csv',
  '.npy': 'application/x-npy',
  '.txt': 'text/plain',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
}

/** Body and content type of an invocation. */
export interface InvocationBody {
  readonly bytes: Uint8Array
  readonly contentType: string
}

/**
 * Reads `--body`: a string, `@FILE` or `-`. The content type is the one given, else the file extension's, else JSON
 * when the bytes are a
 * JSON object or array, else CSV when they are text.
 */
export async function readBody(
  source: string,
  givenType: string | undefined,
  terminal: Terminal,
): Promise<InvocationBody> {
  const bytes = await readBytes(source, terminal)
  return { bytes, contentType: givenType ?? chooseContentType(source, bytes) }
}

async function readBytes(source: string, terminal: Terminal): Promise<Uint8Array> {
  if (source === '-') {
    if (process.stdin.isTTY)
      terminal.note('Reading the body from the keyboard; end it with Ctrl-D.')
    return await buffer(process.stdin)
  }
  if (!source.startsWith('@')) return Buffer.from(source)
  const path = source.slice(1)
  try {
    return await readFile(path)
  } catch (cause) {
    const why = textField(cause, 'code') ?? String(cause)
    throw new CliFailure('usage', `The body file ${path} cannot be read (${why}).`, { cause })
  }
}

/** The content type of a body nobody named one for. */
export function chooseContentType(source: string, bytes: Uint8Array): string {
  const byName = source.startsWith('@')
    ? TYPE_BY_EXTENSION[extname(source).toLowerCase()]
    : undefined
  if (byName !== undefined) return byName
  if (Buffer.from(bytes.subarray(1, 6)).toString('latin1') === 'NUMPY') return 'application/x-npy'
  if (!isUtf8(bytes)) return 'application/octet-stream'
  // A bare number is JSON too, but more likely a row of CSV.
  const isObject = typeof parseJson(Buffer.from(bytes).toString('utf8')) === 'object'
  return isObject ? 'application/json' : 'text/csv'
}
