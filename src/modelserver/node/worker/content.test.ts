import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { parseNpy } from '../../codecs/npy.ts'
import { encodePrediction } from './content.ts'

const NPY = 'application/x-npy'

test('rows of one length become an npy file', () => {
  const { body } = encodePrediction([Float32Array.of(1, 2, 3), [4, 5, 6]], NPY)
  const { dims, elements } = parseNpy(Buffer.from(body))
  assert.deepEqual(
    { dims, elements },
    { dims: [2, 3], elements: Float64Array.of(1, 2, 3, 4, 5, 6) },
  )
})

for (const [given, prediction] of [
  ['rows of several lengths, as many elements as if they had one', [[1, 2], [3], [4, 5, 6]]],
  ['a number beside rows', [[1], 2]],
  ['a text', [['a']]],
] as const) {
  test(`no npy file holds ${given}`, () => {
    assert.throws(() => encodePrediction(prediction, NPY), {
      name: 'TypeError',
      message: /holds numbers in rows of one length/,
    })
  })
}
