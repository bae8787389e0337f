import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'

import { ensurePythonEnvironment } from '../../scripts/python-env.ts'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { until } from '../support/until.ts'
import { assertOutcome } from './cases/case.ts'
import type { Case, CaseWorld, Step } from './cases/case.ts'
import { compilationCases } from './cases/compilations.ts'
import { endpointCases } from './cases/endpoints.ts'
import { invocationCases } from './cases/invocations.ts'
import { modelCases } from './cases/models.ts'
import { multiModelCases } from './cases/multi-model.ts'
import { severalContainersCases } from './cases/several-containers.ts'
import type { AwsClient, ClientTarget, Outcome } from './clients/client.ts'
import { createJavaScriptClient } from './clients/javascript.ts'
import { createBoto3Client, createCliClient } from './clients/python.ts'
import { startRecorder } from './recorder.ts'
import type { Recorder } from './recorder.ts'
import { outputProblems } from './shape.ts'
import { prepareWorld } from './world.ts'

const CASES: readonly Case[] = [
  ...modelCases,
  ...endpointCases,
  ...compilationCases,
  ...invocationCases,
  ...severalContainersCases,
  ...multiModelCases,
]

const python = await ensurePythonEnvironment()
let berth: RunningBerth
let recorder: Recorder
let world: Omit<CaseWorld, 'prefix'>
const clients: AwsClient[] = []

before(async () => {
  berth = await startBerth()
  recorder = await startRecorder(berth.url)
  world = await prepareWorld(berth)
})

after(async () => {
  for (const client of clients) await client.close()
  await recorder.close()
  await disposeBerth(berth)
})

conform('javascript', createJavaScriptClient)
if ('skipped' in python) {
  test(`boto3 and the AWS CLI were not run: ${python.skipped}`, () => {})
} else {
  conform('boto3', (target) => createBoto3Client(target, python))
  conform('cli', (target) => createCliClient(target, python))
}

function conform(name: AwsClient['name'], createClient: (target: ClientTarget) => AwsClient): void {
  suite(name, () => {
    let client: AwsClient
    before(() => {
      client = createClient({ url: recorder.url, ...berth.credentials })
      clients.push(client)
    })
    for (const [index, { name: title, steps, notFor }] of CASES.entries()) {
      const reason = notFor?.[name]
      if (reason === undefined) {
        test(title, async () => {
          const prefix = `${name.slice(0, 2)}${index}`
          for (const step of steps({ ...world, prefix })) await run(client, step)
        })
      }
    }
  })
}

async function run(client: AwsClient, step: Step): Promise<void> {
  const service = step.service ?? 'sagemaker'
  recorder.exchanges.length = 0
  const call = (): Promise<Outcome> => client.call(service, step.operation, step.input)
  const outcome = await until(`${step.operation} ${JSON.stringify(step.input)}`, async () => {
    const latest = await call()
    if (latest.kind === 'error' && latest.code === step.whileCode) return undefined
    if (step.until === undefined || latest.kind === 'error') return latest
    return step.until(latest.output) ? latest : undefined
  })
  assertOutcome(outcome, step.expect)
  assertWire()
}

/** Every reply of the step, as it was on the wire. */
function assertWire(): void {
  for (const { operation, status, headers, body } of recorder.exchanges) {
    assert.match(String(headers['x-amzn-requestid']), /^[0-9a-f-]{36}$/)
    assert.ok(Math.abs(Date.parse(String(headers['date'])) - Date.now()) < 60_000, 'Date header')
    if (operation !== undefined && status === 200) {
      assert.deepEqual(outputProblems(operation, body), [], `${operation}: ${body}`)
    }
  }
}
