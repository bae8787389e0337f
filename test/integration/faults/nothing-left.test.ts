import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'

import { DeleteEndpointCommand } from '@aws-sdk/client-sagemaker'
import { InvokeEndpointWithResponseStreamCommand } from '@aws-sdk/client-sagemaker-runtime'

import { findProcess } from '../../../src/platform/process-identity.ts'
import { disposeBerth, installationPids, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { createEndpoint, serveEndpoint, untilReadyCount } from '../../support/serving.ts'
import { until } from '../../support/until.ts'

suite('nothing is left behind', () => {
  let berth: RunningBerth
  beforeEach(async () => {
    berth = await startBerth()
  })
  afterEach(() => disposeBerth(berth))

  test('an orderly stop ends every process, sockets included, and answers what is outstanding', async () => {
    await serveEndpoint(berth, { name: 'echo', instanceCount: 2 })
    const { Body } = await berth.runtime.send(
      new InvokeEndpointWithResponseStreamCommand({
        EndpointName: 'echo',
        Body: 'an answer in four parts, slowly',
        CustomAttributes: 'chunks=4;chunk-delay-ms=150',
      }),
    )
    assert.ok(Body)
    const parts: string[] = []
    let stopped: Promise<number | null> | undefined
    for await (const { PayloadPart } of Body) {
      stopped ??= berth.stop()
      parts.push(Buffer.from(PayloadPart?.Bytes ?? []).toString())
    }
    assert.equal(parts.join(''), 'an answer in four parts, slowly')
    const exitCode = await stopped
    assert.equal(exitCode, 0)
    assert.deepEqual(installationPids(berth.dataDir), [])
    const run = join(berth.dataDir, 'run')
    assert.deepEqual(readdirSync(join(run, 'instances')), [])
    assert.deepEqual(readdirSync(join(run, 'gateways')), [])
    assert.equal(existsSync(join(run, 'platform.json')), false)
  })

  test('a stop while instances start ends them too', async () => {
    await createEndpoint(berth, { name: 'starting', instanceCount: 3 })
    await until('a process of an instance', () => modelServers(berth).length > 0)
    assert.equal(await berth.stop(), 0)
    assert.deepEqual(installationPids(berth.dataDir), [])
  })

  test('what a container has started goes with it, even out of its process group', async () => {
    await serveEndpoint(berth, { name: 'parent' })
    const [instance] = await untilReadyCount(berth, 'parent', 1)
    const grandchild = startGrandchild(instance?.pid ?? 0)
    const ended = once(grandchild, 'exit')
    await berth.sagemaker.send(new DeleteEndpointCommand({ EndpointName: 'parent' }))
    const [code, signal] = await ended
    assert.deepEqual([code, signal], [null, 'SIGKILL'])
  })

  test('what outlived a dead control and its instance is found by the next one', async () => {
    await serveEndpoint(berth, { name: 'orphaned' })
    const [instance] = await untilReadyCount(berth, 'orphaned', 1)
    const grandchild = startGrandchild(instance?.pid ?? 0)
    const ended = once(grandchild, 'exit')
    await berth.killControl()
    process.kill(instance?.pid ?? 0, 'SIGKILL')
    await until('the instance to be gone', () => findProcess(instance?.pid ?? 0) === undefined)
    berth = await startBerth({ dataDir: berth.dataDir, port: berth.port })
    const [, signal] = await ended
    assert.equal(signal, 'SIGKILL')
    const [replacement] = await untilReadyCount(berth, 'orphaned', 1)
    assert.deepEqual(modelServers(berth), [replacement?.pid])
  })
})

function modelServers({ dataDir }: RunningBerth): readonly number[] {
  return installationPids(dataDir, 'modelserver/main')
}

/** A process as a container would start it: with its environment, here in a session of its own. */
function startGrandchild(instancePid: number): ChildProcess {
  const variables = readFileSync(`/proc/${instancePid}/environ`, 'utf8').split('\0')
  const env = Object.fromEntries(
    variables.filter(Boolean).map((text) => text.split(/=(.*)/s, 2) as [string, string]),
  )
  return spawn('sleep', ['1000'], { env, detached: true, stdio: 'ignore' })
}
