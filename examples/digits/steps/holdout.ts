import { readFile } from 'node:fs/promises'

const PIXEL_COUNT = 64

/** One image the model was not trained on. */
export interface LabelledImage {
  readonly label: number
  /** 64 values 0 (paper) to 16 (ink), row by row. */
  readonly pixels: readonly number[]
}

/** Reads `holdout.csv`: a line per image, the true label first. */
export async function loadHoldout(path: string): Promise<readonly LabelledImage[]> {
  return parseHoldout(await readFile(path, 'utf8'))
}

export function parseHoldout(text: string): readonly LabelledImage[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const [label, ...pixels] = line.split(',').map(Number)
      if (label === undefined || pixels.length !== PIXEL_COUNT || pixels.some(Number.isNaN)) {
        throw new Error(`Line ${index + 1} of the held-out images is not a label and 64 numbers.`)
      }
      return { label, pixels }
    })
}

/** `count` images at equal distances, the first one included: nobody picked them. */
export function chooseEvenly<T>(images: readonly T[], count: number): readonly T[] {
  const step = images.length / count
  return Array.from({ length: count }, (_, k) => images[Math.floor(k * step)]).filter(
    (image) => image !== undefined,
  )
}

/** What `train.py` measured on the held-out images. */
export interface TrainingMetrics {
  readonly accuracy: number
  readonly heldOutCount: number
  readonly correctCount: number
}

export async function loadMetrics(path: string): Promise<TrainingMetrics> {
  return JSON.parse(await readFile(path, 'utf8')) as TrainingMetrics
}
