/**
 * `node examples/features/run.ts`: deploys a look-up in SQLite before an ONNX model, asks the AWS SDK about every held-out
 * patient by key alone, then asks wrongly. Exit code 0: the model errs by as much as train.py counted, and every refusal
 * says what was wrong.
 */
import { ModelError } from '@aws-sdk/client-sagemaker-runtime'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const ENDPOINT_NAME = 'progression'
const TOLERANCE = 0.001

interface Answer {
  readonly patient: string
  readonly progression: number
}

const WRONG = [
  { body: '{"patients": ["patient-999"]}', refusal: '404 There is no patient patient-999.' },
  {
    body: '{"patients": [7]}',
    refusal: '400 7 is no key; keys are like patient-007.',
  },
  { body: '{"patients": []}', refusal: '400 Send {"patients": [key, …]} with 1 to 100 keys.' },
]

const isRight = await tellStory(async (story) => {
  await story.deploy(join(HERE, 'model'), ENDPOINT_NAME)
  const isAccurate = await measure(story)
  return (await areRefused(story)) && isAccurate
})
process.exitCode = isRight ? 0 : 1

async function measure({ ask }: Story): Promise<boolean> {
  const lines = (await readFile(join(HERE, 'holdout.csv'), 'utf8')).trimEnd().split('\n')
  const truth = new Map(lines.map((line) => [line.split(',')[0] ?? '', Number(line.split(',')[1])]))
  const answers: readonly Answer[] = JSON.parse(
    await ask(question(JSON.stringify({ patients: [...truth.keys()] }))),
  )
  const errors = answers.map(({ patient, progression }) =>
    Math.abs(progression - (truth.get(patient) ?? Number.NaN)),
  )
  const meanError = errors.reduce((sum, error) => sum + error, 0) / truth.size
  const { meanAbsoluteError } = JSON.parse(
    await readFile(join(HERE, 'model/metrics.json'), 'utf8'),
  ) as { readonly meanAbsoluteError: number }
  console.log(
    `${answers.length} held-out patients: mean error ${meanError.toFixed(3)}; train.py counted ${meanAbsoluteError}`,
  )
  return Math.abs(meanError - meanAbsoluteError) < TOLERANCE
}

async function areRefused({ ask }: Story): Promise<boolean> {
  for (const { body, refusal } of WRONG) {
    const got = await ask(question(body)).catch(refusalOf)
    console.log(`${body} → ${got}`)
    if (got !== refusal) return false
  }
  return true
}

function refusalOf(error: unknown): string {
  if (!(error instanceof ModelError)) throw error
  return `${error.OriginalStatusCode} ${error.OriginalMessage}`
}

function question(body: string) {
  return {
    endpointName: ENDPOINT_NAME,
    body,
    contentType: 'application/json',
    accept: 'application/json',
  }
}
