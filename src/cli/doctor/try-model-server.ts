import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { programPath } from '../../platform/program.ts'
import { readLines } from '../client/read-lines.ts'
import { parseJson, textField } from '../json.ts'

/** What became of a model in a model server of its own. */
export type TrialResult =
  | { readonly kind: 'loaded'; readonly signature: string }
  /** In the server's own words. */
  | { readonly kind: 'failed'; readonly reason: string }

// As long as a real instance is given by default would be too long to wait at a prompt.
const LOAD_MS_MAX = 120_000

/** Starts the model server that would serve this folder, in a process of its own, until the model is loaded. */
export async function tryModelServer(folder: string): Promise<TrialResult> {
  const args = ['--image', 'berth/onnx', '--model-directory', folder]
  const server = spawn(
    process.execPath,
    [programPath('modelserver/main'), ...args, '--socket', join(folder, '.doctor.sock')],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: LOAD_MS_MAX, killSignal: 'SIGKILL' },
  )
  const exited = once(server, 'exit')
  const lastWords = readLastLine(server.stderr)
  try {
    const signature = await readSignature(server)
    if (signature !== undefined) return { kind: 'loaded', signature }
  } finally {
    server.kill('SIGKILL')
  }
  await exited
  const how = server.signalCode ?? `exit code ${server.exitCode}`
  return { kind: 'failed', reason: (await lastWords) ?? `the model server ended with ${how}` }
}

async function readSignature(
  server: ChildProcessByStdio<null, Readable, Readable>,
): Promise<string | undefined> {
  for await (const line of readLines(server.stdout)) {
    const json = parseJson(line)
    if (textField(json, 'msg') === 'model loaded') return textField(json, 'signature') ?? ''
  }
  return undefined
}

async function readLastLine(stream: Readable): Promise<string | undefined> {
  let last: string | undefined
  for await (const line of readLines(stream)) last = line
  return last
}
