import { S3Client } from '@aws-sdk/client-s3'
import { SageMakerClient } from '@aws-sdk/client-sagemaker'
import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'
import { once } from 'node:events'
import { join } from 'node:path'
import { packModel } from './steps/archive.ts'
import { readEnvironment, type RunningBerth, startBerth } from './steps/berth.ts'
import { createModelAndConfig, deployEndpoint, uploadModel } from './steps/deploy.ts'
import { chooseEvenly, type LabelledImage, loadHoldout, loadMetrics } from './steps/holdout.ts'
import { invoke, type Target } from './steps/invoke.ts'
import { describeNextSteps } from './steps/next-steps.ts'
import {
  choosePort,
  openDataDir,
  type Options,
  parseOptions,
  USAGE,
  UsageError,
} from './steps/options.ts'
import { findPackageRoot } from './steps/package-root.ts'
import { type Card, drawCards, isRight } from './steps/picture.ts'
import { Terminal } from './steps/terminal.ts'

const ENDPOINT_NAME = 'digits'
const SHOWN_COUNT = 6
const BATCH_SIZE = 60
/** Below what train.py measured by less than this is rounding of the written figure, not another answer. */
const ACCURACY_HAIR = 1e-6

const terminal = new Terminal(process.stdout)
const { style } = terminal
const packageRoot = findPackageRoot()
const digitsFolder = join(packageRoot, 'examples', 'digits')
const stopping = new AbortController()

/** The quickstart, top to bottom. @returns the exit code. */
async function quickstart(options: Options): Promise<number> {
  const dataDir = await openDataDir(options)
  let berth: RunningBerth | undefined
  try {
    terminal.line(style.bold('Berth: a real model behind the SageMaker API, on this machine'))
    terminal.line()
    berth = await start(dataDir.path, await choosePort(options))
    const target = await deploy(dataDir.path)
    const asExpected = await showAnswers(target)
    if (options.once) return asExpected ? 0 : 1
    await serveUntilStopped(berth, dataDir.path)
    return 0
  } finally {
    await berth?.stop()
    await dataDir.remove()
  }
}

async function start(dataDir: string, port: number): Promise<RunningBerth> {
  const started: RunningBerth[] = []
  await terminal.step('starting Berth', async () => {
    const berth = await startBerth({ packageRoot, dataDir, port, signal: stopping.signal })
    started.push(berth)
    return `Berth is ready at ${style.cyan(berth.url)}`
  })
  const [berth] = started
  if (berth === undefined) throw new Error('Berth did not start.')
  return berth
}

/** Everything here goes through unmodified AWS clients: only the endpoint URL and the credentials are Berth's. */
async function deploy(dataDir: string): Promise<Target> {
  const environment = await readEnvironment(packageRoot, dataDir)
  const connection = {
    endpoint: environment.AWS_ENDPOINT_URL,
    region: environment.AWS_REGION,
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    },
  }
  const s3 = new S3Client({ ...connection, forcePathStyle: true })
  const sagemaker = new SageMakerClient(connection)
  const archive = await packModel(join(digitsFolder, 'model', 'model.onnx'))
  const name = `digits-${archive.contentHash}`

  await terminal.step('uploading the model', async () => {
    const modelDataUrl = await uploadModel(s3, archive)
    await createModelAndConfig(sagemaker, name, modelDataUrl)
    return `model ${name} is uploaded (${Math.ceil(archive.bytes.length / 1024)} KiB) and registered`
  })
  await terminal.step(`deploying endpoint ${ENDPOINT_NAME}`, async (show) => {
    await deployEndpoint(sagemaker, {
      endpointName: ENDPOINT_NAME,
      configName: name,
      show,
      signal: stopping.signal,
    })
    return `endpoint ${ENDPOINT_NAME} is InService`
  })
  s3.destroy()
  sagemaker.destroy()
  return { client: new SageMakerRuntimeClient(connection), endpointName: ENDPOINT_NAME }
}

/** @returns whether every shown answer was right and the accuracy is what `train.py` measured. */
async function showAnswers(target: Target): Promise<boolean> {
  const heldOut = await loadHoldout(join(digitsFolder, 'holdout.csv'))
  const shownRight = await showImages(target, heldOut)
  const accurate = await showAccuracy(target, heldOut)
  target.client.destroy()
  return shownRight && accurate
}

async function showImages(target: Target, heldOut: readonly LabelledImage[]): Promise<boolean> {
  const cards: Card[] = []
  for (const image of chooseEvenly(heldOut, SHOWN_COUNT)) {
    stopping.signal.throwIfAborted()
    const { answers, latencyMs } = await invoke(target, [image])
    const [answer] = answers
    if (answer !== undefined) cards.push({ image, answer, latencyMs })
  }
  terminal.line()
  const step = heldOut.length / SHOWN_COUNT
  terminal.line(style.bold(`${SHOWN_COUNT} images it has never seen`))
  terminal.line(
    style.dim(
      `Every ${step}th of ${heldOut.length} held out. The first call opens the connection.`,
    ),
  )
  terminal.line()
  for (const line of drawCards(cards, terminal.columns, style)) terminal.line(line)
  return cards.every(isRight)
}

async function showAccuracy(target: Target, heldOut: readonly LabelledImage[]): Promise<boolean> {
  const measured = await loadMetrics(join(digitsFolder, 'model', 'metrics.json'))
  let correctCount = 0
  let totalMs = 0
  for (let first = 0; first < heldOut.length; first += BATCH_SIZE) {
    stopping.signal.throwIfAborted()
    const batch = heldOut.slice(first, first + BATCH_SIZE)
    const { answers, latencyMs } = await invoke(target, batch)
    correctCount += answers.filter((answer, k) => answer.label === batch[k]?.label).length
    totalMs += latencyMs
  }
  const accuracy = correctCount / heldOut.length
  const accurate = accuracy >= measured.accuracy - ACCURACY_HAIR
  const mark = accurate ? style.green('✓') : style.red('✗')
  terminal.line(
    `${mark} all ${heldOut.length} held-out images, ${BATCH_SIZE} to a request, in ${totalMs.toFixed(0)} ms: ` +
      style.bold(`${correctCount} right, ${percent(accuracy)}`),
  )
  terminal.line(style.dim(`  train.py measured ${percent(measured.accuracy)} on the same images`))
  return accurate
}

async function serveUntilStopped(berth: RunningBerth, dataDir: string): Promise<void> {
  const imagePath = join(digitsFolder, 'one-image.json')
  terminal.line()
  const place = { endpointName: ENDPOINT_NAME, dataDir, imagePath }
  for (const line of describeNextSteps(place, style)) terminal.line(line)
  terminal.line()
  terminal.line(`Serving at ${style.cyan(berth.url)} until Ctrl-C.`)
  const stopped = once(stopping.signal, 'abort').then(() => undefined)
  const reason = await Promise.race([stopped, berth.exited])
  if (reason !== undefined) throw new Error(`Berth stopped. ${reason}`)
  terminal.line()
  await terminal.step('stopping Berth', async () => {
    await berth.stop()
    return 'Berth has stopped; run the quickstart again to go on where it was'
  })
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}

async function main(): Promise<number> {
  // A second signal while stopping changes nothing: stopping has its own deadline.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stopping.abort())
  }
  try {
    const options = parseOptions(process.argv.slice(2))
    if (!options.help) return await quickstart(options)
    terminal.line(USAGE)
    return 0
  } catch (error) {
    if (stopping.signal.aborted) return 130
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(`${terminal.style.red('error:')} ${message}\n`)
    if (!(error instanceof UsageError)) return 1
    process.stderr.write(`${USAGE}\n`)
    return 2
  }
}

process.exitCode = await main()
