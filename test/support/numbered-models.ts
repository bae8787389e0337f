import { encodeOnnx } from './onnx.ts'
import type { RunningBerth } from './berth.ts'
import { packModel, uploadModel } from './upload.ts'

/** A model that answers its own number, whatever it is asked: no other can be taken for it. */
export function numberedModel(number: number): Buffer {
  const scalar = (value: number) => ({ dims: [1], values: Float32Array.of(value) })
  return encodeOnnx({
    nodes: [
      { operator: 'Mul', inputs: ['x', 'nothing'], outputs: ['zero'] },
      { operator: 'Add', inputs: ['zero', 'number'], outputs: ['y'] },
    ],
    weights: { nothing: scalar(0), number: scalar(number) },
    inputs: { x: ['n', 1] },
    outputs: { y: ['n', 1] },
  })
}

/** Uploads model number N as `PREFIXmN.tar.gz`. */
export async function uploadNumbered(
  berth: RunningBerth,
  prefix: string,
  number: number,
): Promise<string> {
  const targetModel = `m${number}.tar.gz`
  const archive = await packModel({ 'model.onnx': numberedModel(number) })
  await uploadModel(berth, `${prefix}${targetModel}`, archive)
  return targetModel
}
