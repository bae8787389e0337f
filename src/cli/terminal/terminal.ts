import { environment } from '../../platform/config.ts'
import { createProgress } from './progress.ts'
import type { Progress } from './progress.ts'
import { createStyle } from './style.ts'
import type { Style } from './style.ts'

/** Where a command prints: results to stdout, everything else to stderr. */
export interface Terminal {
  /** Colours for stdout. */
  readonly style: Style
  /** Colours for stderr. */
  readonly noteStyle: Style
  /** Whether a person can be asked. */
  readonly isInteractive: boolean
  /** A line of the result. */
  print(text: string): void
  /** The result for machines, as indented JSON. */
  printJson(value: unknown): void
  /** Raw bytes of the result; resolves when the reader took them. */
  write(bytes: Uint8Array): Promise<void>
  /** A line beside the result. */
  note(text: string): void
  /** Begins to show what is being waited for; nothing appears for what is quick. */
  startProgress(text: string): Progress
}

/** The terminal, or pipes, of this process. */
export function createTerminal(): Terminal {
  const { stdout, stderr, stdin } = process
  // NO_COLOR: any non-empty value switches colours off (no-color.org).
  const mayColour = (environment()['NO_COLOR'] ?? '') === '' && environment()['TERM'] !== 'dumb'
  const noteStyle = createStyle(mayColour && stderr.isTTY)
  return {
    style: createStyle(mayColour && stdout.isTTY),
    noteStyle,
    isInteractive: stdin.isTTY && stderr.isTTY,
    print: (text) => void stdout.write(`${text}\n`),
    printJson: (value) => void stdout.write(`${JSON.stringify(value, undefined, 2)}\n`),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
      }),
    note: (text) => void stderr.write(`${text}\n`),
    startProgress: (text) => createProgress(text, stderr, noteStyle),
  }
}
