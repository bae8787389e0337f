/**
 * `node examples/router/run.ts`: deploys two classifiers of digits and a graph that reads in each request which of them the caller
 * wants; asks both ways about every held-out image, and wrongly. Exit code 0: each way is right as often as train.py of
 * `examples/cascade` counted for its model, and every refusal says what was wrong.
 */
import { ModelError } from '@aws-sdk/client-sagemaker-runtime'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadHoldout } from '../digits/steps/holdout.ts'
import type { LabelledImage } from '../digits/steps/holdout.ts'
import { tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'

const HERE = import.meta.dirname
const MODELS = join(HERE, '../cascade')
const IMAGES_PER_REQUEST = 100

const WRONG = [
  {
    body: { tier: 'slow', instances: [] },
    refusal: '400 There is no case "slow"; there are fast, exact.',
  },
  {
    body: { tier: 'fast', instances: Array.from({ length: 101 }, () => []) },
    refusal: '413 At most 100 images at a time, not 101.',
  },
]

const isRight = await tellStory(async (story) => {
  for (const name of ['cheap', 'expensive']) {
    await story.deploy(join(MODELS, name), `digits-${name}`)
  }
  await story.deploy(join(HERE, 'graph'), 'digits')
  const images = await loadHoldout(join(MODELS, 'holdout.csv'))
  const metrics = JSON.parse(await readFile(join(MODELS, 'metrics.json'), 'utf8')) as {
    readonly cheapCorrectCount: number
    readonly expensiveCorrectCount: number
  }
  const fast = await countCorrect(story, 'fast', images)
  const exact = await countCorrect(story, 'exact', images)
  console.log(`fast: ${fast} of ${images.length} held-out images right; exact: ${exact}`)
  const isAsCounted = fast === metrics.cheapCorrectCount && exact === metrics.expensiveCorrectCount
  return (await areRefused(story)) && isAsCounted
})
process.exitCode = isRight ? 0 : 1

async function countCorrect(story: Story, tier: string, images: readonly LabelledImage[]) {
  let correctCount = 0
  for (let at = 0; at < images.length; at += IMAGES_PER_REQUEST) {
    const asked = images.slice(at, at + IMAGES_PER_REQUEST)
    const text = await ask(story, { tier, instances: asked.map(({ pixels }) => pixels) })
    const { predictions } = JSON.parse(text) as {
      readonly predictions: readonly { label: number }[]
    }
    correctCount += asked.filter(({ label }, row) => predictions[row]?.label === label).length
  }
  return correctCount
}

async function areRefused(story: Story): Promise<boolean> {
  for (const { body, refusal } of WRONG) {
    const got = await ask(story, body).catch(refusalOf)
    console.log(got)
    if (got !== refusal) return false
  }
  return true
}

function ask({ ask: send }: Story, body: object): Promise<string> {
  const json = 'application/json'
  const types = { contentType: json, accept: json }
  return send({ endpointName: 'digits', body: JSON.stringify(body), ...types })
}

function refusalOf(error: unknown): string {
  if (!(error instanceof ModelError)) throw error
  const { error: sentence } = JSON.parse(error.OriginalMessage ?? '{}') as {
    readonly error: string
  }
  return `${error.OriginalStatusCode} ${sentence}`
}
