import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'
import { disposeBerth, startBerth } from '../support/berth.ts'
import type { RunningBerth } from '../support/berth.ts'
import { ensureModelPython } from '../support/model-python.ts'
import { serveEndpoint } from '../support/serving.ts'
import { fixtureModel, packModel, uploadModel } from '../support/upload.ts'

const BINARY = 'application/vnd.sagemaker-triton.binary+json;json-header-size='
const REVERSE = `backend: "python"
max_batch_size: 4
input { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] }
output { name: "REVERSED" data_type: TYPE_STRING dims: [ 1 ] }
`
const REVERSE_MODEL = `
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(pb_utils.get_input_tensor_by_name(r, "TEXT").as_numpy()) for r in requests]

    def answer(self, texts):
        if texts.flat[0] == b"":
            error = pb_utils.TritonError("there is nothing to reverse", pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        reversed_ = np.vectorize(lambda text: text[::-1], otypes=[np.object_])(texts)
        return pb_utils.InferenceResponse([pb_utils.Tensor("REVERSED", reversed_)])
`
let berth: RunningBerth

before(async () => {
  berth = await startBerth({ environment: { BERTH_PYTHON: await ensureModelPython() } })
  const archive = await packModel({
    'affine/1/model.onnx': fixtureModel('affine.onnx'),
    'other/1/model.onnx': fixtureModel('total.onnx'),
  })
  const modelDataUrl = await uploadModel(berth, 'repository.tar.gz', archive)
  const environment = { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'affine' }
  await serveEndpoint(berth, { name: 'triton', image: 'berth/triton', environment, modelDataUrl })
  const python = await packModel({
    'reverse/config.pbtxt': REVERSE,
    'reverse/1/model.py': REVERSE_MODEL,
  })
  await serveEndpoint(berth, {
    name: 'python',
    image: 'berth/triton',
    modelDataUrl: await uploadModel(berth, 'python.tar.gz', python),
  })
})

after(() => disposeBerth(berth))

async function invoke(contentType: string, body: Uint8Array, name = 'triton') {
  const { Body, ContentType } = await berth.runtime.send(
    new InvokeEndpointCommand({ EndpointName: name, ContentType: contentType, Body: body }),
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

test('a Python model answers InvokeEndpoint, and refuses in its own words', async () => {
  const ask = (text: string) => {
    const tensor = { name: 'TEXT', datatype: 'BYTES', shape: [1, 1], data: [text] }
    return invoke('application/json', Buffer.from(JSON.stringify({ inputs: [tensor] })), 'python')
  }
  const { bytes } = await ask('berth')
  assert.match(bytes.toString(), /"data":\["htreb"\]/)
  await assert.rejects(ask(''), { name: 'ModelError', message: /there is nothing to reverse/ })
})
