/**
 * `node examples/sentences/run.ts`: fetches all-MiniLM-L6-v2, starts Berth in a folder of its own, deploys the model with its
 * `inference.py`, asks for vectors at once and as a stream, and stops. Exit code 0: of every sentence the nearest is the one
 * that means the same, and the stream gave the same vectors.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runPython, tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'

const HERE = import.meta.dirname
const FETCHED = join(HERE, '../../node_modules/.cache/berth-examples/sentences')
const ENDPOINT_NAME = 'sentences'
/** Each line means what its partner means, in other words. */
const PAIRS = [
  ['How do I reset my password?', 'I forgot my login and cannot get into my account.'],
  ['The package has not arrived yet.', 'My delivery is late.'],
  ['A cat is sleeping on the sofa.', 'The kitten naps on the couch.'],
  ['Interest rates were raised by the central bank.', 'Borrowing money has become more expensive.'],
  ['The train to Berlin leaves at noon.', 'Departure by rail for the German capital is at 12 pm.'],
] as const
/** What rounding may change when other sentences are in the batch. */
const TOLERANCE = 1e-5

type Vector = readonly number[]

await runPython(join(HERE, 'fetch.py'), FETCHED)
process.exitCode = (await tellStory(measure)) ? 0 : 1

async function measure(story: Story): Promise<boolean> {
  await deployFetched(story)
  const sentences = PAIRS.flat()
  const vectors = await askAtOnce(story, sentences)
  const found = sentences.map((_, at) => nearest(vectors, at))
  const right = found.filter((near, at) => near === partnerOf(at)).length
  for (const [at, near] of found.entries()) {
    console.log(
      `${sentences[at]}  ~  ${sentences[near]}  (${cosine(vectors, at, near).toFixed(2)})`,
    )
  }
  const streamed = await askStreamed(story, sentences)
  const difference = Math.max(...streamed.map((vector, at) => distance(vector, vectors[at] ?? [])))
  const isSame = streamed.length === vectors.length && difference < TOLERANCE
  console.log(`${right} of ${sentences.length} sentences are nearest to their partner`)
  console.log(`streamed: ${streamed.length} vectors, ${isSame ? 'the same' : 'others'}`)
  return right === sentences.length && isSame
}

/** The committed code and the fetched weights are one model folder. */
async function deployFetched({ deploy }: Story): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-sentences-'))
  try {
    await cp(join(HERE, 'model'), folder, { recursive: true })
    await cp(FETCHED, folder, { recursive: true })
    await deploy(folder, ENDPOINT_NAME)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function askAtOnce({ ask }: Story, sentences: readonly string[]): Promise<Vector[]> {
  const reply = await ask(questionOf(sentences, 'application/json'))
  return (JSON.parse(reply) as { readonly embeddings: Vector[] }).embeddings
}

async function askStreamed({ askStream }: Story, sentences: readonly string[]): Promise<Vector[]> {
  let text = ''
  for await (const part of askStream(questionOf(sentences, 'application/jsonlines'))) text += part
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Vector)
}

function questionOf(sentences: readonly string[], accept: string) {
  const body = JSON.stringify({ sentences })
  return { endpointName: ENDPOINT_NAME, body, contentType: 'application/json', accept }
}

function partnerOf(at: number): number {
  return at % 2 === 0 ? at + 1 : at - 1
}

function nearest(vectors: readonly Vector[], at: number): number {
  const others = vectors.map((_, other) => (other === at ? -1 : cosine(vectors, at, other)))
  return others.indexOf(Math.max(...others))
}

/** Vectors have length 1. */
function cosine(vectors: readonly Vector[], left: number, right: number): number {
  const other = vectors[right] ?? []
  return (vectors[left] ?? []).reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0)
}

function distance(left: Vector, right: Vector): number {
  return Math.max(...left.map((value, index) => Math.abs(value - (right[index] ?? NaN))))
}
