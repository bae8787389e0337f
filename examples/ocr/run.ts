/**
 * `node examples/ocr/run.ts`: fetches three ONNX models, starts Berth in a folder of its own, deploys them with their pre- and
 * post-processing as one Triton repository, draws a picture of text, asks for its text by one InvokeEndpoint; then the same by a
 * serial pipeline of three containers, which takes the picture as it is and answers plain text; and stops.
 * Exit code 0: every character that was drawn was read, also of the line on its head; what is no picture is refused.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runPython, tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'
import { servePipeline } from '../steps/serial-pipeline.ts'
import { questionOf } from './pipeline/ask/question.ts'
import { linesOf } from './pipeline/tell/lines.ts'
import type { TritonReply } from './pipeline/tell/lines.ts'

const HERE = import.meta.dirname
const FETCHED = join(HERE, '../../node_modules/.cache/berth-examples/ocr')
const ENDPOINT_NAME = 'ocr'
const PIPELINE_NAME = 'ocr-pipeline'
const DEFAULT_MODEL = { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'ocr' }
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

async function read(story: Story): Promise<boolean> {
  const repository = join(folder, 'repository')
  // The committed configurations and Python models, and the fetched ONNX models, are one repository.
  await cp(join(HERE, 'repository'), repository, { recursive: true })
  await cp(FETCHED, repository, { recursive: true })
  const path = join(folder, 'picture.png')
  await runPython(join(HERE, 'draw.py'), path, ...LINES)
  const picture = await readFile(path)
  const byEnsemble = await readByEnsemble(story, repository, picture)
  return (await readByPipeline(story, repository, picture)) && byEnsemble
}

async function readByEnsemble(
  { deploy, ask }: Story,
  repository: string,
  picture: Buffer,
): Promise<boolean> {
  const environment = Object.entries(DEFAULT_MODEL).map(([name, value]) => `${name}=${value}`)
  await deploy(repository, ENDPOINT_NAME, '--env', ...environment)
  const read = async (bytes: Buffer): Promise<string> =>
    await ask({ endpointName: ENDPOINT_NAME, accept: 'application/json', ...questionOf(bytes) })
  const lines = linesOf(JSON.parse(await read(picture)) as TritonReply)
  for (const line of lines) console.log(line)
  const refused = await read(Buffer.from('no picture')).catch(String)
  console.log(refused.split('\n')[0])
  return isWhatWasDrawn(lines) && refused.includes('IMAGE is not a picture')
}

/** The same repository between two containers of code: picture in, plain text out. */
async function readByPipeline(
  { environment, ask }: Story,
  repository: string,
  picture: Buffer,
): Promise<boolean> {
  const image = 'berth/node'
  await servePipeline(environment, PIPELINE_NAME, [
    { hostname: 'ask', image, folder: join(HERE, 'pipeline', 'ask') },
    { hostname: 'read', image: 'berth/triton', folder: repository, environment: DEFAULT_MODEL },
    { hostname: 'tell', image, folder: join(HERE, 'pipeline', 'tell') },
  ])
  const read = async (bytes: Buffer): Promise<string> =>
    await ask({
      endpointName: PIPELINE_NAME,
      contentType: 'image/png',
      accept: 'text/plain',
      body: bytes,
    })
  const lines = (await read(picture)).split('\n')
  const refused = await read(Buffer.from('no picture')).catch(String)
  console.log(`by the pipeline: ${refused.split('\n')[0]}`)
  return isWhatWasDrawn(lines) && refused.includes('Received client error (400) from read')
}

function isWhatWasDrawn(lines: readonly string[]): boolean {
  const isRight =
    lines.length === LINES.length &&
    lines.every((line, at) => letters(line) === letters(LINES[at] ?? ''))
  console.log(isRight ? 'what was drawn was read' : `drawn was: ${LINES.join(' / ')}`)
  return isRight
}

/** The recogniser leaves out spaces that are as narrow as here; everything else counts. */
function letters(line: string): string {
  return line.replaceAll(' ', '')
}
