import assert from 'node:assert/strict'
import { test } from 'node:test'

import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'
import { UpdateEndpointWeightsAndCapacitiesCommand } from '@aws-sdk/client-sagemaker'

import { signalProcess } from '../../../src/adapters/process/process-table.ts'
import { findProcess } from '../../../src/platform/process-identity.ts'
import { disposeBerth, installationPids, startBerth } from '../../support/berth.ts'
import { createEndpoint, serveEndpoint, untilReadyCount } from '../../support/serving.ts'
import { untilInService, untilSettled } from '../../support/serving.ts'
import { digitsModel, packModel, uploadModel } from '../../support/upload.ts'
import { until } from '../../support/until.ts'

test('everything killed at once: every endpoint comes back to its desired state by itself', async () => {
  let berth = await startBerth()
  try {
    const archive = await packModel({ 'model.onnx': digitsModel() })
    const modelDataUrl = await uploadModel(berth, 'digits.tar.gz', archive)
    await serveEndpoint(berth, { name: 'digits', image: 'berth/onnx', modelDataUrl })
    await serveEndpoint(berth, { name: 'scaled' })
    await berth.sagemaker.send(
      new UpdateEndpointWeightsAndCapacitiesCommand({
        EndpointName: 'scaled',
        DesiredWeightsAndCapacities: [{ VariantName: 'AllTraffic', DesiredInstanceCount: 2 }],
      }),
    )
    await untilReadyCount(berth, 'scaled', 2)
    await createEndpoint(berth, { name: 'broken', environment: { BERTH_ECHO_EXIT_CODE: '20' } })
    await untilSettled(berth, 'broken')
    await createEndpoint(berth, { name: 'half-way' })
    const { invoke, answer } = await firstAnswer()

    // Again and again: control may start an instance between the look and its own end. Whoever ends loses what it is known
    // by before its port and its lock.
    const killed = new Set<number>()
    await until('all to be gone', () => {
      const pids = installationPids(berth.dataDir)
      for (const pid of pids) signalProcess(pid, 'SIGKILL')
      for (const pid of pids) killed.add(pid)
      return pids.length === 0 && [...killed].every((pid) => findProcess(pid) === undefined)
    })
    berth = await startBerth({ dataDir: berth.dataDir, port: berth.port })

    for (const name of ['digits', 'half-way', 'scaled']) await untilInService(berth, name)
    await untilReadyCount(berth, 'digits', 1)
    await untilReadyCount(berth, 'half-way', 1)
    await untilReadyCount(berth, 'scaled', 2)
    assert.equal(await invoke(), answer)
    const { EndpointStatus } = await untilSettled(berth, 'broken')
    assert.equal(EndpointStatus, 'Failed', 'a failed endpoint is not tried again')

    async function firstAnswer() {
      const pixels = Array.from({ length: 64 }, (_, index) => index % 17)
      const command = new InvokeEndpointCommand({
        EndpointName: 'digits',
        ContentType: 'text/csv',
        Accept: 'application/json',
        Body: pixels.join(','),
      })
      const invokeOnce = async (): Promise<string> => {
        const { Body } = await berth.runtime.send(command)
        return Body.transformToString()
      }
      return { invoke: invokeOnce, answer: await invokeOnce() }
    }
  } finally {
    await disposeBerth(berth)
  }
})
