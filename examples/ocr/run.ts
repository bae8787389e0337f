/**
 * `node examples/ocr/run.ts`: fetches three ONNX models, starts Berth in a folder of its own, deploys them with their pre- and
 * post-processing as one Triton repository, draws a picture of text, asks for its text by one InvokeEndpoint, and stops.
 * Exit code 0: every character that was drawn was read, also of the line on its head; what is no picture is refused.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runPython, tellStory } from '../steps/story.ts'
import type { Question, Story } from '../steps/story.ts'

const HERE = import.meta.dirname
const FETCHED = join(HERE, '../../node_modules/.cache/berth-examples/ocr')
const ENDPOINT_NAME = 'ocr'
const DEFAULT_MODEL = 'SAGEMAKER_TRITON_DEFAULT_MODEL_NAME=ocr'
/** The last one is drawn upside down. */
const LINES = [
  'Invoice No. 20261123',
  'Total amount due: 1,234.50 EUR',
  'Thank you for your business',
]

await runPython(join(HERE, 'fetch.py'), FETCHED)
const folder = await mkdtemp(join(tmpdir(), 'berth-ocr-'))
try {
  process.exitCode = (await tellStory(read)) ? 0 : 1
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function read({ deploy, ask }: Story): Promise<boolean> {
  const repository = join(folder, 'repository')
  // The committed configurations and Python models, and the fetched ONNX models, are one repository.
  await cp(join(HERE, 'repository'), repository, { recursive: true })
  await cp(FETCHED, repository, { recursive: true })
  await deploy(repository, ENDPOINT_NAME, '--env', DEFAULT_MODEL)
  const picture = join(folder, 'picture.png')
  await runPython(join(HERE, 'draw.py'), picture, ...LINES)
  const lines = parseLines(await ask(questionOf(await readFile(picture))))
  for (const line of lines) console.log(line)
  const refused = await ask(questionOf(Buffer.from('no picture'))).catch(String)
  console.log(refused.split('\n')[0])
  const isRight =
    lines.length === LINES.length &&
    lines.every((line, at) => letters(line) === letters(LINES[at] ?? ''))
  console.log(isRight ? 'what was drawn was read' : `drawn was: ${LINES.join(' / ')}`)
  return isRight && refused.includes('IMAGE is not a picture')
}

/** The recogniser leaves out spaces that are as narrow as here; everything else counts. */
function letters(line: string): string {
  return line.replaceAll(' ', '')
}

/** The picture's bytes behind a JSON head, as SageMaker's Triton image takes them. */
function questionOf(picture: Buffer): Question {
  const binary = { binary_data_size: picture.length }
  const input = { name: 'IMAGE', datatype: 'UINT8', shape: [picture.length], parameters: binary }
  const outputs = ['TEXT', 'SCORE'].map((name) => ({ name }))
  const head = Buffer.from(JSON.stringify({ inputs: [input], outputs }))
  return {
    endpointName: ENDPOINT_NAME,
    body: Buffer.concat([head, picture]),
    contentType: `application/vnd.sagemaker-triton.binary+json;json-header-size=${head.length}`,
    accept: 'application/json',
  }
}

function parseLines(reply: string): readonly string[] {
  const { outputs } = JSON.parse(reply) as {
    readonly outputs: readonly { readonly name: string; readonly data: readonly string[] }[]
  }
  return outputs.find(({ name }) => name === 'TEXT')?.data ?? []
}
