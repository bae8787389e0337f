/**
 * `node examples/cascade/run.ts`: deploys a cheap and an expensive classifier of digits and a graph that asks the expensive one only
 * about images of which the cheap one is not sure; then asks the AWS SDK about every held-out image. Exit code 0: the cascade is right
 * as often as the expensive model alone, with at most half of its work, and both as train.py counted.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadHoldout } from '../digits/steps/holdout.ts'
import type { LabelledImage } from '../digits/steps/holdout.ts'
import { tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'

const HERE = import.meta.dirname
const IMAGES_PER_REQUEST = 50
const SAVED_MIN = 0.5

interface Answer {
  readonly predictions: readonly { readonly label: number }[]
  readonly graph?: { readonly rows: Readonly<Record<string, number>> }
}

interface Metrics {
  readonly expensiveCorrectCount: number
  readonly cascadeCorrectCount: number
  readonly handedOnCount: number
}

const isRight = await tellStory(async (story) => {
  for (const name of ['cheap', 'expensive']) {
    await story.deploy(join(HERE, name), `digits-${name}`)
  }
  await story.deploy(join(HERE, 'graph'), 'digits')
  const images = await loadHoldout(join(HERE, 'holdout.csv'))
  const metrics = JSON.parse(await readFile(join(HERE, 'metrics.json'), 'utf8')) as Metrics
  const expensive = await askAll(story, 'digits-expensive', images)
  const cascade = await askAll(story, 'digits', images)
  const saved = 1 - cascade.handedOnCount / images.length
  console.log(
    `expensive model alone: ${expensive.correctCount} of ${images.length} held-out images right`,
  )
  console.log(
    `cascade: ${cascade.correctCount} right; ${cascade.handedOnCount} images asked of the expensive model, ${(saved * 100).toFixed(1)} % saved`,
  )
  return (
    saved >= SAVED_MIN &&
    cascade.correctCount >= expensive.correctCount &&
    expensive.correctCount === metrics.expensiveCorrectCount &&
    cascade.correctCount === metrics.cascadeCorrectCount &&
    cascade.handedOnCount === metrics.handedOnCount
  )
})
process.exitCode = isRight ? 0 : 1

async function askAll({ ask }: Story, endpointName: string, images: readonly LabelledImage[]) {
  let correctCount = 0
  let handedOnCount = 0
  for (let at = 0; at < images.length; at += IMAGES_PER_REQUEST) {
    const asked = images.slice(at, at + IMAGES_PER_REQUEST)
    const body = JSON.stringify({ instances: asked.map(({ pixels }) => pixels) })
    const json = 'application/json'
    const text = await ask({ endpointName, body, contentType: json, accept: json })
    const { predictions, graph } = JSON.parse(text) as Answer
    correctCount += asked.filter(({ label }, row) => predictions[row]?.label === label).length
    handedOnCount += graph?.rows['expensive'] ?? 0
  }
  return { correctCount, handedOnCount }
}
