import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { serveEndpoint } from '../support/serving.ts'
import { fixtureModel, packModel, uploadModel } from '../support/upload.ts'

const BINARY = 'application/vnd.sagemaker-triton.binary+json;json-header-size='
let berth: RunningBerth

before(async () => {
  berth = await startBerth()
  const archive = await packModel({
    'affine/1/model.onnx': fixtureModel('affine.onnx'),
    'other/1/model.onnx': fixtureModel('total.onnx'),
  })
  const modelDataUrl = await uploadModel(berth, 'repository.tar.gz', archive)
  const environment = { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'affine' }
  await serveEndpoint(berth, { name: 'triton', image: 'berth/triton', environment, modelDataUrl })
})

after(() => disposeBerth(berth))

async function invoke(contentType: string, body: Uint8Array) {
  const { Body, ContentType } = await berth.runtime.send(
    new InvokeEndpointCommand({ EndpointName: 'triton', ContentType: contentType, Body: body }),
  )
  return { type: ContentType ?? '', bytes: Buffer.from(Body ?? []) }
}

test('a Triton repository answers InvokeEndpoint with JSON', async () => {
  const x = { name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }
  const { type, bytes } = await invoke(
    'application/json',
    Buffer.from(JSON.stringify({ inputs: [x] })),
  )
  assert.equal(type, 'application/json')
  assert.equal(
    bytes.toString(),
    '{"model_name":"affine","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[1,2],"data":[14.5,31.5]}]}',
  )
})

test('bytes go in and come out behind a JSON head whose length is in the content type', async () => {
  const head = JSON.stringify({
    parameters: { binary_data_output: true },
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], parameters: { binary_data_size: 12 } }],
  })
  const rows = Buffer.from(Float32Array.of(1, 2, 3).buffer)
  const body = Buffer.concat([Buffer.from(head), rows])
  const { type, bytes } = await invoke(`${BINARY}${head.length}`, body)
  assert.ok(type.startsWith(BINARY), type)
  const at = Number(type.slice(BINARY.length))
  assert.equal(bytes.length - at, 8)
  assert.deepEqual([bytes.readFloatLE(at), bytes.readFloatLE(at + 4)], [14.5, 31.5])
})

test('what the model refuses reaches the caller in the words of Triton', async () => {
  const body = Buffer.from('{"inputs":[]}')
  await assert.rejects(invoke('application/json', body), (error: Error) => {
    assert.equal(error.name, 'ModelError')
    assert.match(error.message, /expected 1 inputs but got 0 inputs for model 'affine'/)
    return true
  })
  await assert.rejects(
    invoke(`${BINARY}99`, body),
    /inference header size should be in range \(0, 13\), got: 99/,
  )
})
