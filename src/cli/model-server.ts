import { spawn } from 'node:child_process'
import { programPath } from '../platform/program.ts'
import type { ExitReason } from './exit-codes.ts'

/**
 * Runs the model server as a process of its own, with this one's input and output, until it ends.
 *
 * A signal to this process reaches it, too. Source: like `tritonserver` it ends with 0 or 1.
 */
export async function runModelServer(args: readonly string[]): Promise<ExitReason> {
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', programPath('modelserver/triton/main'), ...args],
    { stdio: 'inherit' },
  )
  // The terminal signals the whole group; what a supervisor sends comes to this process alone.
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal)
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, forward)
  try {
    return await new Promise<ExitReason>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => resolve(code === 0 ? 'ok' : 'failed'))
    })
  } finally {
    for (const signal of signals) process.off(signal, forward)
  }
}
