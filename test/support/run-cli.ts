import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'

const PROGRAM = join(import.meta.dirname, '../../src/cli/main.ts')

/** How a command ended. */
export interface CliResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stdoutBytes: Buffer
  readonly stderr: string
}

/** What a command is given. */
export interface CliInput {
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
}

/** Runs `berth` with these arguments in a process of its own, without the settings of whoever runs the tests. */
export async function runCli(args: readonly string[], input: CliInput = {}): Promise<CliResult> {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH, NODE_COMPILE_CACHE, HOME: '/nonexistent', ...input.environment },
    stdio: 'pipe',
  })
  const ended = once(child, 'exit')
  // A command that reads no input closes the pipe before all of it is written.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input.stdin ?? '')
  const [stdoutBytes, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr)])
  await ended
  return { exitCode: child.exitCode, stdout: stdoutBytes.toString(), stdoutBytes, stderr }
}
