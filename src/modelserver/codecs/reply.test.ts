import assert from 'node:assert/strict'
import type { Buffer } from 'node:buffer'
import { test } from 'node:test'
import type { ReplyFormat } from './media-type.ts'
import { parseNpy } from './npy.ts'
import { decidePresentation, parseLabels } from './presentation.ts'
import { encodeReply } from './reply.ts'
import type { Signature } from './signature.ts'
import type { NamedTensor } from './tensor.ts'
import { readZip } from './zip.ts'

const label = (values: readonly bigint[]): NamedTensor => ({
  name: 'label',
  type: 'int64',
  dims: [values.length],
  elements: BigInt64Array.from(values),
})
const floats = (name: string, dims: readonly number[], values: readonly number[]): NamedTensor => ({
  name,
  type: 'float32',
  dims,
  elements: Float32Array.from(values),
})
const signatureOf = (outputs: readonly NamedTensor[]): Signature => ({
  inputs: [],
  outputs: outputs.map(({ name, type, dims }) => ({
    name,
    type,
    dims: ['N', ...dims.slice(1)].slice(0, dims.length),
  })),
})

interface Options {
  readonly topCount?: number
  readonly labels?: readonly string[]
  readonly zipMap?: readonly string[]
  readonly isColumnar?: boolean
}

function encode(
  outputs: readonly NamedTensor[],
  format: ReplyFormat,
  options: Options = {},
): string {
  return encodeBody(outputs, format, options).toString()
}

function encodeBody(
  outputs: readonly NamedTensor[],
  format: ReplyFormat,
  options: Options = {},
): Buffer {
  const zipMapLabels = new Map(
    options.zipMap === undefined ? [] : [['probabilities', options.zipMap]],
  )
  const presentation = decidePresentation(signatureOf(outputs), {
    zipMapLabels,
    fileLabels: options.labels,
  })
  const outcome = { outputs, presentation, isColumnar: options.isColumnar ?? false }
  const { topCount } = options
  const replyType = { format, mediaType: '', ...(topCount !== undefined && { topCount }) }
  return encodeReply(outcome, replyType)
}

const CLASSES = [label([2n, 0n]), floats('probabilities', [2, 3], [0, 0.25, 0.75, 0.5, 0.5, 0])]
const PLAIN = [floats('y', [2, 2], [1, 2, 3, NaN])]
const SEVERAL = [floats('a', [2], [1, 2]), floats('b', [2, 1], [3, 4])]
const BIG = [label([2n ** 53n + 1n])]

for (const { given, outputs, format, options, expected } of [
  {
    given: 'a classifier',
    outputs: CLASSES,
    format: 'json',
    options: {},
    expected:
      '{"predictions":[{"label":2,"probabilities":[0,0.25,0.75]},{"label":0,"probabilities":[0.5,0.5,0]}]}',
  },
  {
    given: 'a ZipMap classifier',
    outputs: CLASSES,
    format: 'jsonlines',
    options: { zipMap: ['0', '1', '2'] },
    expected:
      '{"label":2,"probabilities":{"0":0,"1":0.25,"2":0.75}}\n{"label":0,"probabilities":{"0":0.5,"1":0.5,"2":0}}\n',
  },
  {
    given: 'a classifier with labels.txt',
    outputs: CLASSES,
    format: 'csv',
    options: { labels: ['x', 'y', 'z'] },
    expected: 'z,0,0.25,0.75\nx,0.5,0.5,0\n',
  },
  {
    given: 'labels.txt over ZipMap labels',
    outputs: CLASSES,
    format: 'json',
    options: { labels: ['x', 'y', 'z'], zipMap: ['2', '1', '0'] },
    expected:
      '{"predictions":[{"label":"x","probabilities":{"x":0,"y":0.25,"z":0.75}},{"label":"z","probabilities":{"x":0.5,"y":0.5,"z":0}}]}',
  },
  {
    given: 'a classifier, columns',
    outputs: CLASSES,
    format: 'json',
    options: { isColumnar: true },
    expected: '{"outputs":{"label":[2,0],"probabilities":[[0,0.25,0.75],[0.5,0.5,0]]}}',
  },
  {
    given: 'one output',
    outputs: PLAIN,
    format: 'json',
    options: {},
    expected: '{"predictions":[[1,2],[3,"NaN"]]}',
  },
  {
    given: 'one output, columns',
    outputs: PLAIN,
    format: 'json',
    options: { isColumnar: true },
    expected: '{"outputs":[[1,2],[3,"NaN"]]}',
  },
  { given: 'one output', outputs: PLAIN, format: 'csv', options: {}, expected: '1,2\n3,NaN\n' },
  {
    given: 'scores with labels.txt',
    outputs: PLAIN,
    format: 'json',
    options: { labels: ['no', 'yes'] },
    expected:
      '{"predictions":[{"label":"yes","scores":{"no":1,"yes":2}},{"label":"no","scores":{"no":3,"yes":"NaN"}}]}',
  },
  {
    given: 'scores of which the first is no number',
    outputs: [
      { name: 's', type: 'float32', dims: [1, 2], elements: Float32Array.of(Number.NaN, -1) },
    ],
    format: 'json',
    options: { labels: ['no', 'yes'] },
    expected: '{"predictions":[{"label":"yes","scores":{"no":"NaN","yes":-1}}]}',
  },
  {
    given: 'several outputs',
    outputs: SEVERAL,
    format: 'json',
    options: {},
    expected: '{"predictions":[{"a":1,"b":[3]},{"a":2,"b":[4]}]}',
  },
  {
    given: 'several outputs',
    outputs: SEVERAL,
    format: 'csv',
    options: {},
    expected: '1,3\n2,4\n',
  },
  {
    given: 'the two highest classes',
    outputs: CLASSES,
    format: 'json',
    options: { labels: ['x', 'y', 'z'], topCount: 2 },
    expected:
      '{"predictions":[{"top":[{"label":"z","probability":0.75},{"label":"y","probability":0.25}]},{"top":[{"label":"x","probability":0.5},{"label":"y","probability":0.5}]}]}',
  },
  {
    given: 'the highest of scores without names, NaN last',
    outputs: PLAIN,
    format: 'jsonlines',
    options: { topCount: 9 },
    expected:
      '{"top":[{"label":"1","score":2},{"label":"0","score":1}]}\n{"top":[{"label":"0","score":3},{"label":"1","score":"NaN"}]}\n',
  },
  {
    given: 'the highest class',
    outputs: CLASSES,
    format: 'csv',
    options: { zipMap: ['a', 'b', 'c'], topCount: 1 },
    expected: 'c,0.75\na,0.5\n',
  },
  {
    given: 'an integer beyond 2^53',
    outputs: BIG,
    format: 'json',
    options: {},
    expected: '{"predictions":["9007199254740993"]}',
  },
] as const) {
  test(`${given} as ${format}`, () => assert.equal(encode(outputs, format, options), expected))
}

test('npy holds the probabilities of a classifier', () => {
  assert.deepEqual(parseNpy(encodeBody(CLASSES, 'npy')).dims, [2, 3])
})

test('npz holds every output, labels by their names', () => {
  const body = encodeBody(CLASSES, 'npz', { labels: ['x', 'y', 'z'] })
  const members = readZip(body)
  assert.deepEqual([...members.keys()], ['label.npy', 'probabilities.npy'])
  const probabilities = parseNpy(members.get('probabilities.npy')?.unpack(1000) ?? body)
  assert.deepEqual(probabilities.dims, [2, 3])
  const label = members.get('label.npy')?.unpack(1000)
  const text = label?.toString('latin1') ?? ''
  assert.match(text, /'descr': '<U1', .*'shape': \(2,\)/)
  assert.ok(text.endsWith('\nz\0\0\0x\0\0\0'))
})

test('npy of strings only is refused', () => {
  const outputs: NamedTensor[] = [{ name: 'y', type: 'string', dims: [1], elements: ['a'] }]
  assert.throws(() => encode(outputs, 'npy'), { status: 406 })
})

test('top-k of what are no classes, or as npy, is refused', () => {
  assert.throws(() => encode(SEVERAL, 'json', { topCount: 1 }), {
    status: 406,
    message: /top-k needs scores of classes, and the model gives a float32 \[2\], b float32/,
  })
  for (const format of ['npy', 'npz', 'recordio'] as const) {
    assert.throws(() => encode(CLASSES, format, { topCount: 1 }), { status: 406 })
  }
})

test('outputs without common rows are refused as rows', () => {
  const outputs = [floats('a', [2], [1, 2]), floats('total', [], [3])]
  for (const format of ['json', 'recordio'] as const) {
    assert.throws(() => encode(outputs, format), { status: 500, message: /a \[2\], total \[\]/ })
  }
})

test('labels.txt is a list of different labels, as many as the model has classes', () => {
  assert.deepEqual(parseLabels('a\r\nb\n'), ['a', 'b'])
  assert.throws(() => parseLabels('a\n\nb'), {
    reason: 'labelsInvalid',
    message: /line 2 is empty/,
  })
  assert.throws(() => parseLabels('a\na'), { message: /has a twice/ })
  assert.throws(() => encode(CLASSES, 'json', { labels: ['a', 'b'] }), {
    message: /has 2 labels, and the model has 3/,
  })
  assert.throws(() => encode(SEVERAL, 'json', { labels: ['a'] }), { reason: 'labelsInvalid' })
})
