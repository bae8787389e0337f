import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'

import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { CreateModelCommand, DescribeModelCommand } from '@aws-sdk/client-sagemaker'

import { disposeBerth, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { Load } from '../../support/load.ts'
import { describePlatform, serveEndpoint, untilReadyCount } from '../../support/serving.ts'
import { until } from '../../support/until.ts'
import { mountSmallDisk } from '../../support/small-disk.ts'

const MIB = 1024 * 1024
const DISK_BYTES = 32 * MIB

const disk = mountSmallDisk(DISK_BYTES)
if ('refused' in disk) {
  // In CI a skip would hide that nobody looks.
  test('a full disk', { skip: process.env['CI'] !== 'true' && disk.refused }, () => {
    assert.fail(disk.refused)
  })
} else {
  suite('a full disk', () => {
    let berth: RunningBerth
    let load: Load

    before(async () => {
      berth = await startBerth({ dataDir: join(disk.path, 'data') })
      await serveEndpoint(berth, { name: 'echo' })
      load = new Load(berth, 'echo', 2)
    })
    after(async () => {
      await load.stop()
      await disposeBerth(berth)
      disk.remove()
    })

    test('an upload larger than the disk is refused and leaves nothing behind', async () => {
      await berth.s3.send(new CreateBucketCommand({ Bucket: 'small' }))
      const freeBefore = disk.freeBytes()
      const upload = { Bucket: 'small', Key: 'large', Body: Buffer.alloc(2 * DISK_BYTES) }
      await assert.rejects(berth.s3.send(new PutObjectCommand(upload)), isDiskFull)
      const { UploadId } = await berth.s3.send(
        new CreateMultipartUploadCommand({ Bucket: 'small', Key: 'parts' }),
      )
      const part = { ...upload, Key: 'parts', UploadId, PartNumber: 1 }
      await assert.rejects(berth.s3.send(new UploadPartCommand(part)), isDiskFull)
      const { KeyCount } = await berth.s3.send(new ListObjectsV2Command({ Bucket: 'small' }))
      assert.equal(KeyCount, 0)
      const lostBytes = freeBefore - disk.freeBytes()
      assert.ok(lostBytes < MIB, `${lostBytes} bytes were not given back`)
      await assertServes()
    })

    test('nothing can be created while it is full, and everything once there is room', async () => {
      await berth.sagemaker.send(model('before'))
      disk.fill()
      await assert.rejects(async () => {
        // The database may have room in pages of its own for a few.
        for (let n = 0; n < 200; n += 1) await berth.sagemaker.send(model(`full-${n}`))
      }, isDiskFull)
      const put = { Bucket: 'small', Key: 'one', Body: Buffer.alloc(MIB) }
      await assert.rejects(berth.s3.send(new PutObjectCommand(put)), isDiskFull)
      await assertServes()
      await berth.sagemaker.send(new DescribeModelCommand({ ModelName: 'before' }))

      disk.free()
      await berth.sagemaker.send(model('after'))
      await berth.s3.send(new PutObjectCommand(put))
      await serveEndpoint(berth, { name: 'second' })
      await assertServes()
    })

    test('an instance that dies while it is full is replaced once there is room', async () => {
      const [victim] = await untilReadyCount(berth, 'second', 1)
      disk.fill()
      process.kill(victim?.pid ?? 0, 'SIGKILL')
      await assertServes()
      disk.free()
      const [replacement] = await untilReadyCount(berth, 'second', 1)
      assert.notEqual(replacement?.pid, victim?.pid)
    })

    test('a gateway that dies while it is full is back within moments', async () => {
      disk.fill()
      const [gateway] = (await describePlatform(berth)).gateways
      process.kill(gateway?.pid ?? 0, 'SIGKILL')
      await load.untilMoreAnswers()
      const { control, gateways } = await describePlatform(berth)
      disk.free()
      assert.equal(control.pid, berth.control.pid)
      assert.equal(gateways.length, 1)
      assert.deepEqual(load.wrongAnswers, [])
      // Connections broke with the gateway.
      load.failures.length = 0
    })

    test('a control that is killed and started while it is full adopts what runs', async () => {
      const { gateways } = await describePlatform(berth)
      disk.fill()
      await berth.killControl()
      await assertServes()
      berth = await startBerth({ dataDir: berth.dataDir, port: berth.port })
      const platform = await describePlatform(berth)
      disk.free()
      assert.deepEqual(pidsOf(platform.gateways), pidsOf(gateways))
      assert.equal(platform.instances.length, 2)
      await assertServes()
    })

    test('the next control finds everything whole', async () => {
      await berth.killControl()
      const { dataDir, port } = berth
      const database = new DatabaseSync(join(dataDir, 'berth.db'))
      assert.deepEqual(
        database
          .prepare('PRAGMA integrity_check')
          .all()
          .map((row) => row['integrity_check']),
        ['ok'],
      )
      database.close()
      berth = await startBerth({ dataDir, port })
      for (const ModelName of ['before', 'after']) {
        await berth.sagemaker.send(new DescribeModelCommand({ ModelName }))
      }
      await until('no temporary file', () => {
        const names = readdirSync(dataDir, { recursive: true }).map(String)
        return !names.some((name) => name.endsWith('.tmp'))
      })
      await assertServes()
    })

    async function assertServes(): Promise<void> {
      await load.untilMoreAnswers()
      assert.deepEqual(load.failures, [])
      assert.deepEqual(load.modelErrors, [])
      assert.deepEqual(load.wrongAnswers, [])
    }
  })
}

function pidsOf(processes: readonly { readonly pid: number }[]): readonly number[] {
  return processes.map(({ pid }) => pid)
}

function model(ModelName: string): CreateModelCommand {
  const ExecutionRoleArn = 'arn:aws:iam::000000000000:role/berth'
  return new CreateModelCommand({
    ModelName,
    ExecutionRoleArn,
    PrimaryContainer: { Image: 'berth/echo', Environment: { PADDING: 'x'.repeat(1000) } },
  })
}

function isDiskFull(error: unknown): true {
  assert.ok(error instanceof Error)
  assert.match(`${error.name}: ${error.message}`, /disk.* full|no space|no room/i)
  return true
}
