/**
 * `node examples/xgboost/run.ts`: starts Berth in a folder of its own, deploys a booster without any code, asks the AWS SDK for
 * the score of every held-out case, and stops. Exit code 0: as many are right as train.py counted.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'

const HERE = import.meta.dirname
const ENDPOINT_NAME = 'tumours'

process.exitCode = (await tellStory(measure)) ? 0 : 1

async function measure({ deploy, ask }: Story): Promise<boolean> {
  await deploy(join(HERE, 'model'), ENDPOINT_NAME)
  const lines = (await readFile(join(HERE, 'holdout.csv'), 'utf8')).trimEnd().split('\n')
  const body = lines.map((line) => line.slice(2)).join('\n')
  const types = { contentType: 'text/csv', accept: 'application/json' }
  const { predictions } = JSON.parse(
    await ask({ endpointName: ENDPOINT_NAME, body, ...types }),
  ) as { readonly predictions: readonly { readonly score: number }[] }
  const correct = lines.filter((line, at) => {
    const isBenign = line.startsWith('1')
    return (predictions[at]?.score ?? NaN) > 0.5 === isBenign
  }).length
  const metrics = JSON.parse(await readFile(join(HERE, 'model/metrics.json'), 'utf8')) as {
    readonly correctCount: number
  }
  console.log(
    `${correct} of ${lines.length} held-out cases right; train.py counted ${metrics.correctCount}`,
  )
  return correct === metrics.correctCount
}
