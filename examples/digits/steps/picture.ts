import type { Answer } from './invoke.ts'
import type { LabelledImage } from './holdout.ts'
import type { Style } from './terminal.ts'

const SIDE = 8
const INK_MAX = 16
const SHADES = [' ', '░', '▒', '▓', '█'] as const
const TEXT_WIDTH = 20
const GAP = 3
/** Picture, its text and the gap to the next one. */
export const CARD_WIDTH = SIDE * 2 + 2 + TEXT_WIDTH + GAP

/** An image and what the endpoint said about it. */
export interface Card {
  readonly image: LabelledImage
  readonly answer: Answer
  readonly latencyMs: number
}

/** Eight lines of sixteen characters; every pixel is doubled in width, because characters are tall. */
export function drawImage(pixels: readonly number[]): readonly string[] {
  return Array.from({ length: SIDE }, (_, row) =>
    pixels
      .slice(row * SIDE, (row + 1) * SIDE)
      .map((ink) => shadeOf(ink).repeat(2))
      .join(''),
  )
}

/** Cards side by side, as many as fit into `columns`. Every line is one string. */
export function drawCards(
  cards: readonly Card[],
  columns: number,
  style: Style,
): readonly string[] {
  const perRow = Math.max(1, Math.floor((columns + GAP) / CARD_WIDTH))
  const lines: string[] = []
  for (let first = 0; first < cards.length; first += perRow) {
    const drawn = cards.slice(first, first + perRow).map((card) => drawCard(card, style))
    for (let line = 0; line < SIDE; line++) {
      lines.push(
        drawn
          .map((card) => card[line] ?? '')
          .join(' '.repeat(GAP))
          .trimEnd(),
      )
    }
    lines.push('')
  }
  return lines
}

export function isRight({ image, answer }: Card): boolean {
  return answer.label === image.label
}

function drawCard(card: Card, style: Style): readonly string[] {
  const { image, answer, latencyMs } = card
  const right = isRight(card)
  const text: readonly (readonly [string, Style['plain']])[] = [
    ['', style.plain],
    [`reads as  ${answer.label}`, style.bold],
    [`truly     ${image.label}  ${right ? '✓' : '✗'}`, right ? style.green : style.red],
    [`sure      ${(answer.confidence * 100).toFixed(1)} %`, style.plain],
    [`took      ${latencyMs.toFixed(1)} ms`, style.dim],
    [runnerUp(answer), style.dim],
    ['', style.plain],
  ]
  return drawImage(image.pixels).map((row, line) => {
    const [words, paint] = text[line] ?? ['', style.plain]
    // Padded before it is painted: escape codes have no width on the screen.
    return `${row}  ${paint(words.padEnd(TEXT_WIDTH))}`
  })
}

/** The second best class, which shows a person where the model hesitates. */
function runnerUp({ probabilities, label }: Answer): string {
  const others = probabilities
    .map((probability, digit) => ({ digit, probability }))
    .filter(({ digit }) => digit !== label)
    .toSorted((a, b) => b.probability - a.probability)
  const [next] = others
  return next === undefined
    ? ''
    : `or else   ${next.digit} (${(next.probability * 100).toFixed(1)} %)`
}

function shadeOf(ink: number): string {
  const step = Math.round((ink / INK_MAX) * (SHADES.length - 1))
  return SHADES[Math.min(SHADES.length - 1, Math.max(0, step))] ?? ' '
}
