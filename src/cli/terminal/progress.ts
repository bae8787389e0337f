import type { Style } from './style.ts'

/** What is being waited for, shown while it takes long. */
export interface Progress extends Disposable {
  /** Replaces the text; the same text again changes nothing. */
  update(text: string): void
  /** Takes the line away. Safe to call twice. */
  stop(): void
}

// A wait shorter than this shows nothing: a line that flickers says less than none.
const SHOW_AFTER_MS = 700
const FRAME_MS = 120
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** A moving line on a terminal; elsewhere one plain line per text, so that a log stays readable. */
export function createProgress(
  firstText: string,
  stream: { readonly isTTY: boolean; readonly columns?: number; write(text: string): unknown },
  style: Style,
): Progress {
  const startedAtMs = Date.now()
  let text = firstText
  let printed: string | undefined
  let frame = 0
  const show = (): void => {
    if (Date.now() - startedAtMs < SHOW_AFTER_MS) return
    if (stream.isTTY) {
      const seconds = `${Math.round((Date.now() - startedAtMs) / 1000)} s`
      const line = `${text} `.slice(0, lineCharsMax(stream.columns))
      frame = (frame + 1) % FRAMES.length
      stream.write(`\r\u001B[K${style.cyan(FRAMES[frame] ?? '')} ${line}${style.dim(seconds)}`)
    } else if (printed !== text) {
      stream.write(`${text}\n`)
    }
    printed = text
  }
  const timer = setInterval(show, FRAME_MS)
  timer.unref()
  const stop = (): void => {
    clearInterval(timer)
    if (stream.isTTY && printed !== undefined) stream.write('\r\u001B[K')
    printed = undefined
  }
  return { update: (next) => void (text = next), stop, [Symbol.dispose]: stop }
}

// Room for the mark and the seconds; a terminal that does not know its width says 0.
function lineCharsMax(columns: number | undefined): number {
  return Math.max(10, (columns || 80) - 12)
}
