/**
 * `node examples/sklearn/run.ts`: starts Berth in a folder of its own, deploys the wine classifier with `berth deploy`, asks
 * the AWS SDK for the cultivar of every held-out wine, and stops. Exit code 0: as many are right as train.py counted.
 */
import { InvokeEndpointCommand, SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { berthProgram, readEnvironment, startBerth } from '../digits/steps/berth.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const PACKAGE_ROOT = join(HERE, '../..')
const ENDPOINT_NAME = 'wine'
const CULTIVARS = ['Barolo', 'Grignolino', 'Barbera']

const dataDir = await mkdtemp(join(tmpdir(), 'berth-wine-'))
const berth = await startBerth({ packageRoot: PACKAGE_ROOT, dataDir, port: 0 })
try {
  console.log(`Berth answers at ${berth.url}`)
  await deploy()
  process.exitCode = (await measure()) ? 0 : 1
} finally {
  await berth.stop()
  await rm(dataDir, { recursive: true, force: true })
}

async function deploy(): Promise<void> {
  const args = ['deploy', join(HERE, 'model'), '--name', ENDPOINT_NAME, '--data-dir', dataDir]
  const program = [berthProgram(PACKAGE_ROOT), ...args]
  const [code] = (await once(
    spawn(process.execPath, program, { stdio: 'inherit' }),
    'exit',
  )) as unknown[]
  if (code !== 0) throw new Error(`berth deploy ended with ${String(code)}.`)
}

async function measure(): Promise<boolean> {
  const lines = (await readFile(join(HERE, 'holdout.csv'), 'utf8')).trimEnd().split('\n')
  const wines = lines.map((line) => line.slice(line.indexOf(',') + 1)).join('\n')
  const answers = (await ask(wines)).trimEnd().split('\n')
  const correct = lines.filter((line, at) => CULTIVARS[Number(line[0])] === answers[at]).length
  const metrics = JSON.parse(await readFile(join(HERE, 'model/metrics.json'), 'utf8')) as {
    readonly correctCount: number
  }
  console.log(
    `${correct} of ${lines.length} held-out wines right; train.py counted ${metrics.correctCount}`,
  )
  return correct === metrics.correctCount
}

async function ask(csv: string): Promise<string> {
  const environment = await readEnvironment(PACKAGE_ROOT, dataDir)
  const client = new SageMakerRuntimeClient({
    endpoint: environment.AWS_ENDPOINT_URL,
    region: environment.AWS_REGION,
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    },
  })
  const reply = await client.send(
    new InvokeEndpointCommand({
      EndpointName: ENDPOINT_NAME,
      ContentType: 'text/csv',
      Accept: 'text/csv',
      Body: Buffer.from(csv),
    }),
  )
  client.destroy()
  return reply.Body?.transformToString() ?? ''
}
