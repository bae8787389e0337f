import { join } from 'node:path'
import { defineModel } from 'berth/model'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { nameLargest, scaleRows } from './rows.ts'

export default defineModel({
  async load({ modelDirectory }) {
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1 }
    return await InferenceSession.create(join(modelDirectory, 'model.onnx'), options)
  },
  async predict(
    { instances }: { readonly instances: readonly (readonly number[])[] },
    { model: session },
  ) {
    const rows = scaleRows(instances)
    const input = new Tensor('float32', Float32Array.from(rows.flat()), [
      rows.length,
      rows[0]?.length ?? 0,
    ])
    const [inputName = ''] = session.inputNames
    const [outputName = ''] = session.outputNames
    const output = (await session.run({ [inputName]: input }))[outputName]
    if (output === undefined) throw new Error('The model gave nothing.')
    const width = output.dims[1] ?? 0
    const scores = rows.map((_, row) =>
      Array.from({ length: width }, (__, column) => Number(output.data[row * width + column])),
    )
    return { predictions: nameLargest(scores) }
  },
})
