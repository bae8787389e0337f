import { CommanderError } from 'commander'
import { environment } from '../platform/config.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { toFailure } from './failure.ts'
import { createProgram } from './program.ts'
import { createTerminal } from './terminal/terminal.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Runs one command line and returns the exit code; prints every failure as a sentence. */
export async function runCli(args: readonly string[]): Promise<number> {
  const terminal = createTerminal()
  // `berth list | head`: the reader has enough, which is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_CODES.ok.code)
  })
  let exitCode: number = EXIT_CODES.ok.code
  const program = createProgram({
    terminal,
    end: (reason) => void (exitCode = EXIT_CODES[reason].code),
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    return reportFailure(error, terminal)
  }
}

function reportFailure(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) {
    // Commander has printed help, version or the complaint already.
    return error.exitCode === 0 ? EXIT_CODES.ok.code : EXIT_CODES.usage.code
  }
  const failure = toFailure(error)
  terminal.note(`${terminal.noteStyle.red('error')} ${failure.message}`)
  if (failure.cure !== undefined) terminal.note(failure.cure)
  if (environment()['BERTH_DEBUG']) {
    terminal.note(String(error instanceof Error ? error.stack : error))
    if (failure.cause instanceof Error) terminal.note(String(failure.cause.stack))
  }
  return EXIT_CODES[failure.exitReason].code
}
