/**
 * `node examples/sklearn/run.ts`: starts Berth in a folder of its own, deploys the wine classifier with `berth deploy`, asks
 * the AWS SDK for the cultivar of every held-out wine, and stops. Exit code 0: as many are right as train.py counted.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'

const HERE = import.meta.dirname
const ENDPOINT_NAME = 'wine'
const CULTIVARS = ['Barolo', 'Grignolino', 'Barbera']

process.exitCode = (await tellStory(measure)) ? 0 : 1

async function measure({ deploy, ask }: Story): Promise<boolean> {
  await deploy(join(HERE, 'model'), ENDPOINT_NAME)
  const lines = (await readFile(join(HERE, 'holdout.csv'), 'utf8')).trimEnd().split('\n')
  const body = lines.map((line) => line.slice(line.indexOf(',') + 1)).join('\n')
  const types = { contentType: 'text/csv', accept: 'text/csv' }
  const answers = (await ask({ endpointName: ENDPOINT_NAME, body, ...types })).trimEnd().split('\n')
  const correct = lines.filter((line, at) => CULTIVARS[Number(line[0])] === answers[at]).length
  const metrics = JSON.parse(await readFile(join(HERE, 'model/metrics.json'), 'utf8')) as {
    readonly correctCount: number
  }
  console.log(
    `${correct} of ${lines.length} held-out wines right; train.py counted ${metrics.correctCount}`,
  )
  return correct === metrics.correctCount
}
