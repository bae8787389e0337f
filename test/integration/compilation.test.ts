import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { buffer } from 'node:stream/consumers'

import { GetObjectCommand } from '@aws-sdk/client-s3'
import {
  CreateCompilationJobCommand,
  DeleteCompilationJobCommand,
  DescribeCompilationJobCommand,
  StopCompilationJobCommand,
} from '@aws-sdk/client-sagemaker'
import type {
  CreateCompilationJobCommandInput,
  DescribeCompilationJobCommandOutput,
} from '@aws-sdk/client-sagemaker'
import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { disposeBerth, installationPids, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { serveEndpoint } from '../support/serving.ts'
import { seededRandom } from '../../src/modelserver/compile/sample-inputs.ts'
import { encodeOnnx } from '../support/onnx.ts'
import { until } from '../support/until.ts'
import { digitsModel, fixtureModel, packModel, uploadModel } from '../support/upload.ts'

const ROLE = 'arn:aws:iam::000000000000:role/berth'
const DEVICE = process.arch === 'arm64' ? 'ml_c6g' : 'ml_c5'

// The first column is the true digit.
const rows = readFileSync(join(import.meta.dirname, '../../examples/digits/holdout.csv'), 'utf8')
  .trim()
  .split('\n')
  .slice(0, 200)
  .map((line) => line.split(','))
  .map(([digit, ...pixels]) => ({ digit, pixels: pixels.slice(0, 64).join(',') }))

let berth: RunningBerth
let digits: string
let endless: string

before(async () => {
  berth = await startBerth()
  digits = await uploadModel(
    berth,
    'digits.tar.gz',
    await packModel({
      'model.onnx': digitsModel(),
      'labels.txt': Array.from({ length: 10 }, (_, digit) => `digit ${digit}\n`).join(''),
    }),
  )
  // One invocation of it takes hours.
  endless = await uploadModel(
    berth,
    'endless.tar.gz',
    await packModel({
      'model.onnx': fixtureModel('heavy.onnx'),
      'samples.json': '{"instances": [[2000000000]]}',
    }),
  )
})

after(() => disposeBerth(berth))

interface JobChanges {
  readonly url?: string
  readonly compilerOptions?: Readonly<Record<string, unknown>>
  readonly input?: Partial<CreateCompilationJobCommandInput['InputConfig']>
  readonly output?: Partial<CreateCompilationJobCommandInput['OutputConfig']>
  readonly seconds?: number
}

async function create(name: string, changes: JobChanges = {}): Promise<void> {
  const { url = digits, compilerOptions, input, output, seconds = 300 } = changes
  await berth.sagemaker.send(
    new CreateCompilationJobCommand({
      CompilationJobName: name,
      RoleArn: ROLE,
      InputConfig: { S3Uri: url, Framework: 'ONNX', ...input },
      OutputConfig: {
        S3OutputLocation: 's3://models/compiled',
        TargetDevice: DEVICE,
        ...(compilerOptions && { CompilerOptions: JSON.stringify(compilerOptions) }),
        ...output,
      },
      StoppingCondition: { MaxRuntimeInSeconds: seconds },
    }),
  )
}

function describeJob(name: string): Promise<DescribeCompilationJobCommandOutput> {
  return berth.sagemaker.send(new DescribeCompilationJobCommand({ CompilationJobName: name }))
}

function reaches(name: string, ...statuses: readonly string[]) {
  return until(
    `${name} to be ${statuses.join(' or ')}`,
    async () => {
      const job = await describeJob(name)
      return statuses.includes(job.CompilationJobStatus ?? '') ? job : undefined
    },
    300_000,
  )
}

const over = (name: string) => reaches(name, 'COMPLETED', 'FAILED', 'STOPPED')

interface Report {
  readonly quantization: string
  readonly before: { readonly bytes: number; readonly loadMs: number }
  readonly after: { readonly bytes: number; readonly loadMs: number }
  readonly latency: readonly { rows: number; beforeMs: number; afterMs: number }[]
  readonly difference: {
    readonly tolerance: number
    readonly largestShare: number
    readonly samples: { readonly from: string; readonly count: number }
  }
  readonly weights: { readonly convertedCount: number; readonly flushedCount: number }
}

async function readObject(url: string): Promise<Buffer> {
  const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.*)$/.exec(url) ?? []
  const { Body } = await berth.s3.send(new GetObjectCommand({ Bucket, Key }))
  assert.ok(Body)
  return buffer(Body as NodeJS.ReadableStream)
}

async function readReport(job: DescribeCompilationJobCommandOutput): Promise<Report> {
  const url = job.ModelArtifacts?.S3ModelArtifacts ?? ''
  const bytes = await readObject(url.replace(/\.tar\.gz$/, '.report.json'))
  return JSON.parse(bytes.toString('utf8')) as Report
}

for (const { quantization, sizeMax } of [
  { quantization: 'none', sizeMax: 1.1 },
  { quantization: 'fp16', sizeMax: 0.6 },
  { quantization: 'int8-dynamic', sizeMax: 0.4 },
]) {
  test(`a model compiled with ${quantization} is measured, stored and served as it is`, async () => {
    const name = `Digits-${quantization}`
    const output = { S3OutputLocation: `s3://models/${quantization}/` }
    await create(name, { compilerOptions: { quantization }, output })
    const job = await over(name)
    assert.equal(job.CompilationJobStatus, 'COMPLETED', job.FailureReason)
    const url = job.ModelArtifacts?.S3ModelArtifacts
    assert.equal(url, `s3://models/${quantization}/digits-${DEVICE}.tar.gz`)
    assert.match(job.ModelDigests?.ArtifactDigest ?? '', /^sha256:[0-9a-f]{64}$/)
    assert.equal(job.InferenceImage, 'berth/onnx')
    assert.equal(job.DerivedInformation?.DerivedDataInputConfig, '{"input":[-1,64]}')
    assert.ok(job.CompilationStartTime && job.CompilationEndTime)

    const report = await readReport(job)
    assert.equal(report.quantization, quantization)
    assert.ok(report.after.bytes < report.before.bytes * sizeMax, JSON.stringify(report))
    assert.deepEqual(
      report.latency.map(({ rows }) => rows),
      [1, 8],
    )
    assert.ok(report.difference.largestShare <= report.difference.tolerance)
    assert.equal(report.weights.convertedCount, quantization === 'none' ? 0 : 2)

    await serveEndpoint(berth, { name, image: 'berth/onnx', modelDataUrl: url ?? '' })
    const { Body } = await berth.runtime.send(
      new InvokeEndpointCommand({
        EndpointName: name,
        ContentType: 'text/csv',
        Body: rows.map(({ pixels }) => pixels).join('\n'),
      }),
    )
    const { predictions } = JSON.parse(Body?.transformToString() ?? '') as {
      predictions: readonly { label: string }[]
    }
    const rightCount = predictions.filter(({ label }, at) => label === `digit ${rows[at]?.digit}`)
    assert.ok(rightCount.length >= rows.length * 0.95, `${rightCount.length} of ${rows.length}`)
  })
}

test('a model large enough to be mapped is served as it was compiled', async () => {
  const width = 40_000
  const random = seededRandom(1)
  const weights = (count: number) => Float32Array.from({ length: count }, () => random() - 0.5)
  const large = encodeOnnx({
    nodes: [
      { operator: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] },
      { operator: 'Relu', inputs: ['h'], outputs: ['r'] },
      { operator: 'MatMul', inputs: ['r', 'v'], outputs: ['y'] },
    ],
    weights: {
      w: { dims: [64, width], values: weights(64 * width) },
      v: { dims: [width, 4], values: weights(4 * width) },
    },
    inputs: { x: ['N', 64] },
    outputs: { y: ['N', 4] },
  })
  const url = await uploadModel(berth, 'large.tar.gz', await packModel({ 'model.onnx': large }))
  await create('large', { url })
  const job = await over('large')
  assert.equal(job.CompilationJobStatus, 'COMPLETED', job.FailureReason)
  const compiled = job.ModelArtifacts?.S3ModelArtifacts ?? ''
  const answers: number[][] = []
  for (const [name, modelDataUrl] of [
    ['large-before', url],
    ['large-after', compiled],
  ] as const) {
    await serveEndpoint(berth, { name, image: 'berth/onnx', modelDataUrl })
    const Body = rows[0]?.pixels ?? ''
    const invoke = { EndpointName: name, ContentType: 'text/csv', Accept: 'text/csv', Body }
    const answer = await berth.runtime.send(new InvokeEndpointCommand(invoke))
    answers.push((answer.Body?.transformToString() ?? '').trim().split(',').map(Number))
  }
  const [before = [], after = []] = answers
  assert.equal(before.length, 4)
  for (const [index, value] of before.entries()) {
    assert.ok(Math.abs(value - (after[index] ?? NaN)) < 1e-2, answers.join(' | '))
  }
})

test('weights next to zero become zero', async () => {
  await create('flushed')
  const report = await readReport(await over('flushed'))
  assert.ok(report.weights.flushedCount > 100, JSON.stringify(report.weights))
})

for (const { what, changes, reason } of [
  {
    what: 'a difference beyond the tolerance',
    changes: { compilerOptions: { quantization: 'int8-dynamic', tolerance: 1e-6 } },
    reason:
      /^ClientError: The output probabilities differs from the original's by 0\.\d+ of its largest value \(.*\), more than the tolerance of 0\.000001\.$/,
  },
  {
    what: 'another framework',
    changes: { input: { Framework: 'PYTORCH' as const } },
    reason: /^ClientError: InputConfiguration: .*ONNX, not PYTORCH/,
  },
  {
    what: 'a device that is not this machine',
    changes: { output: { TargetDevice: 'jetson_nano' as const } },
    reason: /^ClientError: OutputConfiguration: .*jetson_nano is another device/,
  },
  {
    what: 'shapes that are not those of the model',
    changes: { input: { DataInputConfig: "{'input': [1, 65]}" } },
    reason: /DataInputConfig says input \[1, 65\], and the model takes inputs: input float32/,
  },
  {
    what: 'samples that are not there',
    changes: { compilerOptions: { samples: 'none.csv' } },
    reason: /The model data has no file none\.csv with samples\./,
  },
  {
    what: 'model data that is not there',
    changes: { url: 's3://models/nothing.tar.gz' },
    reason:
      /^ClientError: InputConfiguration: S3 object does not exist\. Bucket: models, Key: nothing\.tar\.gz$/,
  },
  {
    what: 'a bucket for the archive that is not there',
    changes: { output: { S3OutputLocation: 's3://nowhere-at-all' } },
    reason: /^ClientError: OutputConfiguration: the archive cannot be stored as s3:\/\/nowhere/,
  },
]) {
  test(`a job fails in words: ${what}`, async () => {
    const name = what.replaceAll(' ', '-')
    await create(name, changes)
    const job = await over(name)
    assert.equal(job.CompilationJobStatus, 'FAILED')
    assert.match(job.FailureReason ?? '', reason)
    assert.equal(job.ModelDigests, undefined)
  })
}

for (const { file, quantization, reason } of [
  { file: 'opset99.onnx', quantization: 'none', reason: /uses opset 99/ },
  { file: 'iris-zipmap.onnx', quantization: 'none', reason: /ends in a ZipMap/ },
  { file: 'affine.onnx', quantization: 'int8-dynamic', reason: /int8-dynamic changes nothing/ },
  { file: 'affine.onnx', quantization: 'fp16', reason: /fp16 changes nothing/ },
]) {
  test(`${file} with ${quantization} fails in words`, async () => {
    const name = `${quantization}-${file}`.replaceAll('.', '-')
    const archive = await packModel({ 'model.onnx': fixtureModel(file) })
    await create(name, {
      url: await uploadModel(berth, `${name}.tar.gz`, archive),
      compilerOptions: { quantization },
    })
    const job = await over(name)
    assert.equal(job.CompilationJobStatus, 'FAILED')
    assert.match(job.FailureReason ?? '', reason)
  })
}

test('inputs of a file are what is measured on', async () => {
  const archive = await packModel({
    'model.onnx': digitsModel(),
    'samples.csv': rows.map(({ pixels }) => pixels).join('\n'),
  })
  const url = await uploadModel(berth, 'sampled.tar.gz', archive)
  await create('sampled', { url, compilerOptions: { samples: 'samples.csv' } })
  const { difference, latency } = await readReport(await over('sampled'))
  assert.deepEqual(difference.samples, { from: 'samples.csv', count: 1 })
  assert.deepEqual(
    latency.map((one) => one.rows),
    [rows.length],
  )
})

test('a job that takes longer than it may is killed and fails', async () => {
  await create('slow', { url: endless, compilerOptions: { samples: 'samples.json' }, seconds: 2 })
  const job = await over('slow')
  assert.equal(job.CompilationJobStatus, 'FAILED')
  assert.match(job.FailureReason ?? '', /^ClientError: TimeOut: .*MaxRuntimeInSeconds of 2\.$/)
  assert.deepEqual(compilerPids(), [])
})

test('jobs wait for a place; those that wait and those that run can be stopped, then deleted', async () => {
  const endlessJob = { url: endless, compilerOptions: { samples: 'samples.json' } }
  await create('first', endlessJob)
  await reaches('first', 'INPROGRESS')
  await create('second', endlessJob)
  await create('third')
  const command = { CompilationJobName: 'first' }
  await assert.rejects(berth.sagemaker.send(new DeleteCompilationJobCommand(command)), {
    name: 'ValidationException',
    message: /it is INPROGRESS/,
  })
  assert.equal((await describeJob('second')).CompilationJobStatus, 'STARTING')
  await berth.sagemaker.send(new StopCompilationJobCommand({ CompilationJobName: 'second' }))
  await reaches('second', 'STOPPED')
  assert.equal((await describeJob('third')).CompilationJobStatus, 'STARTING')
  await berth.sagemaker.send(new StopCompilationJobCommand(command))
  await reaches('first', 'STOPPED')
  await reaches('third', 'COMPLETED')
  await berth.sagemaker.send(new DeleteCompilationJobCommand(command))
  await assert.rejects(describeJob('first'), { name: 'ResourceNotFound' })
})

test('a job outlives the death of control: it is begun again', async () => {
  const endlessJob = { url: endless, compilerOptions: { samples: 'samples.json' } }
  await create('interrupted', endlessJob)
  await reaches('interrupted', 'INPROGRESS')
  await create('behind')
  const before = await until('a program', () => compilerPids().length > 0 && compilerPids())
  await berth.killControl()
  await until('the end of its program', () => compilerPids().length === 0)
  const { dataDir, port } = berth
  berth = await startBerth({ dataDir, port })
  const after = await until('another program', () => compilerPids().length > 0 && compilerPids())
  assert.notDeepEqual(after, before)
  await berth.sagemaker.send(new StopCompilationJobCommand({ CompilationJobName: 'interrupted' }))
  await reaches('interrupted', 'STOPPED')
  await reaches('behind', 'COMPLETED')
})

test('names are taken once, whatever their case, and unknown ones are not found', async () => {
  await create('Twice', { input: { Framework: 'TFLITE' } })
  await assert.rejects(create('tWICE'), { name: 'ResourceInUse' })
  for (const Command of [StopCompilationJobCommand, DeleteCompilationJobCommand]) {
    await assert.rejects(
      berth.sagemaker.send(new Command({ CompilationJobName: 'nobody' }) as never),
      { name: 'ResourceNotFound', message: /^Could not find compilation job "arn:.*nobody"\.$/ },
    )
  }
  await over('Twice')
  await assert.rejects(
    berth.sagemaker.send(new StopCompilationJobCommand({ CompilationJobName: 'Twice' })),
    { name: 'ValidationException', message: /it is FAILED/ },
  )
})

test('a program that is killed from outside fails its job', async () => {
  await create('killed', { url: endless, compilerOptions: { samples: 'samples.json' } })
  const [pid] = await until('a program', () => compilerPids().length > 0 && compilerPids())
  assert.ok(pid)
  process.kill(pid, 'SIGKILL')
  const job = await over('killed')
  assert.equal(job.CompilationJobStatus, 'FAILED')
  assert.match(job.FailureReason ?? '', /^InternalError: the compiler ended with SIGKILL/)
})

test('an orderly stop ends the program, and the next start begins the job again', async () => {
  await create('paused', { url: endless, compilerOptions: { samples: 'samples.json' } })
  await until('a program', () => compilerPids().length > 0)
  assert.equal(await berth.stop(), 0)
  assert.deepEqual(compilerPids(), [])
  const { dataDir, port } = berth
  berth = await startBerth({ dataDir, port })
  await until('a program', () => compilerPids().length > 0)
  assert.equal((await describeJob('paused')).CompilationJobStatus, 'INPROGRESS')
})

function compilerPids(): readonly number[] {
  return installationPids(berth.dataDir, 'compile/job/main')
}
