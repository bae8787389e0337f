/**
 * `node examples/tenants/run.ts`: one endpoint for all tenants, each answered by a model of its own. Asks for every held-out
 * row of three tenants, adds a fourth while the endpoint serves, and shows that no tenant is answered by another's model.
 * Exit code 0: as many rows are right as train.py counted for each tenant, and a stranger's rows are refused.
 */
import { ModelError, ValidationError } from '@aws-sdk/client-sagemaker-runtime'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { packModel } from '../digits/steps/archive.ts'
import { parseAnswers } from '../digits/steps/invoke.ts'
import { tellStory } from '../steps/story.ts'
import type { Story } from '../steps/story.ts'
import { TenantEndpoint } from './tenant-endpoint.ts'

const HERE = import.meta.dirname
const FROM_THE_START = ['clinic', 'herbarium', 'vineyard']
const ADDED_LATER = 'post-office'
const ASK_AGAIN_MS = 100

const isRight = await tellStory(async (story) => {
  using endpoint = new TenantEndpoint('tenants', story.environment)
  for (const tenant of FROM_THE_START) await add(endpoint, tenant)
  await endpoint.create()
  const before = await askForAll(story, endpoint, FROM_THE_START)
  const stranger = await refusalOf(askForTenant(story, endpoint, ADDED_LATER))
  console.log(`${ADDED_LATER}, not there yet: ${stranger}`)

  await add(endpoint, ADDED_LATER)
  console.log(`${ADDED_LATER} was added: one upload, no call to the endpoint`)
  await untilThere(story, endpoint, ADDED_LATER)
  const after = await askForAll(story, endpoint, [...FROM_THE_START, ADDED_LATER])
  const mixedUp = await refusalOf(ask(story, endpoint, 'vineyard', await readRows('herbarium')))
  console.log(`rows of herbarium for the model of vineyard: ${mixedUp}`)
  return before && after && stranger === 'ValidationError' && mixedUp === 'ModelError'
})
process.exitCode = isRight ? 0 : 1

async function add(endpoint: TenantEndpoint, tenant: string): Promise<void> {
  const { bytes } = await packModel(join(HERE, tenant, 'model.onnx'))
  await endpoint.putModel(targetOf(tenant), bytes)
}

/** That a model is missing is remembered for a second at most: whoever asked too early asks again. */
async function untilThere(story: Story, endpoint: TenantEndpoint, tenant: string): Promise<void> {
  const rows = (await readRows(tenant)).slice(0, 1)
  while ((await refusalOf(ask(story, endpoint, tenant, rows))) === 'ValidationError') {
    await sleep(ASK_AGAIN_MS)
  }
}

/** All tenants at the same time, as they would come. */
async function askForAll(
  story: Story,
  endpoint: TenantEndpoint,
  tenants: readonly string[],
): Promise<boolean> {
  const right = await Promise.all(tenants.map((tenant) => askForTenant(story, endpoint, tenant)))
  return right.every(Boolean)
}

async function askForTenant(
  story: Story,
  endpoint: TenantEndpoint,
  tenant: string,
): Promise<boolean> {
  const rows = await readRows(tenant)
  const labels = await ask(story, endpoint, tenant, rows)
  const correctCount = rows.filter(({ label }, at) => labels[at] === label).length
  const metrics = await readFile(join(HERE, tenant, 'metrics.json'), 'utf8')
  const counted = (JSON.parse(metrics) as { readonly correctCount: number }).correctCount
  console.log(
    `${tenant}: ${correctCount} of ${rows.length} held-out rows right; train.py counted ${counted}`,
  )
  return correctCount === counted
}

interface Row {
  readonly label: number
  readonly values: readonly number[]
}

async function ask(
  { ask: send }: Story,
  { name }: TenantEndpoint,
  tenant: string,
  rows: readonly Row[],
): Promise<readonly number[]> {
  const types = { contentType: 'application/json', accept: 'application/json' }
  const body = JSON.stringify({ instances: rows.map(({ values }) => values) })
  const answer = await send({ endpointName: name, targetModel: targetOf(tenant), body, ...types })
  return parseAnswers(answer).map(({ label }) => label)
}

async function readRows(tenant: string): Promise<readonly Row[]> {
  const text = await readFile(join(HERE, tenant, 'holdout.csv'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [label = Number.NaN, ...values] = line.split(',').map(Number)
      return { label, values }
    })
}

async function refusalOf(asking: Promise<unknown>): Promise<string> {
  try {
    await asking
    return 'answered'
  } catch (error) {
    if (error instanceof ModelError) return 'ModelError'
    if (error instanceof ValidationError) return 'ValidationError'
    throw error
  }
}

function targetOf(tenant: string): string {
  return `${tenant}.tar.gz`
}
