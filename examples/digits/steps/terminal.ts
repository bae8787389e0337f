import { stripVTControlCharacters } from 'node:util'

type Paint = (text: string) => string

/** Paints text; without colours every member returns its argument. */
export type Style = Readonly<Record<'plain' | 'bold' | 'dim' | 'green' | 'red' | 'cyan', Paint>>

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const
const FRAME_MS = 80
const TEXT_WIDTH = 66
const PLAIN_COLUMNS = 80

/** Standard output: lines for everybody, colours and a moving progress line only on a terminal. */
export class Terminal {
  readonly style: Style
  readonly #out: NodeJS.WriteStream
  readonly #isTerminal: boolean

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
    this.#isTerminal = out.isTTY === true
    // hasColors() honours NO_COLOR and dumb terminals.
    this.style = createStyle(this.#isTerminal && out.hasColors())
  }

  get columns(): number {
    return this.#isTerminal ? this.#out.columns : PLAIN_COLUMNS
  }

  line(text = ''): void {
    this.#out.write(`${text}\n`)
  }

  /**
   * Shows that something is under way, then one line with a tick, what `work` returned, and the time it took.
   *
   * `work` may say what it is waiting for by calling `show`; on a terminal that rewrites the line, elsewhere each new
   * text is a line.
   */
  async step(text: string, work: (show: (text: string) => void) => Promise<string>): Promise<void> {
    const startedAtMs = performance.now()
    const progress = this.#isTerminal ? this.#animate(text) : this.#announce()
    try {
      const result = await work(progress.show)
      progress.stop()
      const seconds = this.style.dim(formatSeconds(performance.now() - startedAtMs))
      this.line(`${this.style.green('✓')} ${pad(result)} ${seconds}`)
    } catch (error) {
      progress.stop()
      this.line(`${this.style.red('✗')} ${text}`)
      throw error
    }
  }

  #announce() {
    let shown: string | undefined
    const show = (text: string) => {
      if (text !== shown) this.line(`  ${text}`)
      shown = text
    }
    return { show, stop: () => {} }
  }

  #animate(firstText: string) {
    const startedAtMs = performance.now()
    let text = firstText
    let frame = 0
    const draw = () => {
      const elapsed = this.style.dim(formatSeconds(performance.now() - startedAtMs))
      const spinner = this.style.cyan(FRAMES[frame++ % FRAMES.length] ?? '')
      this.#out.write(`\r\u001b[2K${spinner} ${pad(text)} ${elapsed}`)
    }
    const timer = setInterval(draw, FRAME_MS)
    draw()
    return {
      show: (next: string) => {
        text = next
      },
      stop: () => {
        clearInterval(timer)
        this.#out.write('\r\u001b[2K')
      },
    }
  }
}

/** To a column, counting what is seen: escape codes have no width. */
function pad(text: string): string {
  return text + ' '.repeat(Math.max(0, TEXT_WIDTH - stripVTControlCharacters(text).length))
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function createStyle(colours: boolean): Style {
  const paint = (open: number, close: number) => (text: string) =>
    colours ? `\u001b[${open}m${text}\u001b[${close}m` : text
  return {
    plain: (text) => text,
    bold: paint(1, 22),
    dim: paint(2, 22),
    green: paint(32, 39),
    red: paint(31, 39),
    cyan: paint(36, 39),
  }
}
