import assert from 'node:assert/strict'
import { test } from 'node:test'
import { standInFor } from './framework-image.ts'

const EUROPE = '141502667606.dkr.ecr.eu-west-1.amazonaws.com'
const DEEP = '763104351884.dkr.ecr.us-east-1.amazonaws.com'

const STAND_INS: readonly (readonly [image: string, packages: readonly string[]])[] = [
  [
    `${EUROPE}/sagemaker-scikit-learn:1.2-1-cpu-py3`,
    ['scikit-learn==1.2.*', 'joblib', 'pandas', 'numpy<2'],
  ],
  [
    `${EUROPE}/sagemaker-scikit-learn:0.23-1-cpu-py3`,
    ['scikit-learn==0.23.*', 'joblib', 'pandas', 'numpy<2'],
  ],
  [`${EUROPE}/sagemaker-scikit-learn:1.4-2`, ['scikit-learn==1.4.*', 'joblib', 'pandas']],
  [`${EUROPE}/sagemaker-xgboost:1.7-1`, ['xgboost==1.7.*', 'scipy', 'scikit-learn', 'pandas']],
  [
    '811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest',
    ['xgboost', 'scipy', 'scikit-learn', 'pandas'],
  ],
  [`${DEEP}/pytorch-inference:2.1.0-cpu-py310`, ['torch==2.1.*', 'numpy<2']],
  [
    `${DEEP}/huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu-py310-ubuntu22.04`,
    ['torch==2.1.*', 'transformers==4.37.*', 'pillow', 'numpy<2'],
  ],
  [
    '727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-inference:2.0-cpu-py310',
    ['torch==2.0.*', 'numpy<2'],
  ],
  ['public.ecr.aws/deep-learning-containers/pytorch-inference:2.6.0-cpu', ['torch==2.6.*']],
]

for (const [image, packages] of STAND_INS) {
  test(`${image} is berth/python with ${packages[0]}`, () => {
    assert.deepEqual(standInFor(image), { kind: 'built-in', image: 'berth/python', packages })
  })
}

test('the image of Triton is berth/triton', () => {
  assert.deepEqual(standInFor(`${DEEP}/sagemaker-tritonserver:23.08-py3`), {
    kind: 'built-in',
    image: 'berth/triton',
    packages: [],
  })
})

test('images of AWS that nothing stands in for are refused with what to use', () => {
  const tensorflow = standInFor(`${DEEP}/tensorflow-inference:2.14.1-cpu`)
  assert.match(tensorflow.kind === 'refused' ? tensorflow.reason : '', /berth\/onnx/)
})

test('names that only look like AWS’s are unknown', () => {
  const names = [
    'berth/python',
    'sagemaker-scikit-learn:1.2-1',
    'example.org/sagemaker-scikit-learn:1.2-1',
    `${DEEP}/my-own-image:1`,
    `${DEEP}.example.org/pytorch-inference:2.1.0`,
  ]
  for (const name of names) assert.deepEqual(standInFor(name), { kind: 'unknown' }, name)
})
