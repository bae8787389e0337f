import { ONES, RAMP, SIMPLE_INPUTS, infer, input } from './ask.ts'
import type { Ask } from './exchange.ts'

const RAW = (inputs: string): string => `{"inputs":[${inputs}]}`
const FP32 = (shape: string, data: string): string =>
  RAW(`{"name":"INPUT0","shape":${shape},"datatype":"FP32","data":${data}}`)
const ONE = (member: string): string =>
  RAW(`{"name":"IN_FP32","shape":[1],"datatype":"FP32",${member}}`)

/** A tensor of `identity` in JSON text, so that numbers stay as written. */
function same(datatype: string, shape: string, data: string): Ask {
  const suffix = datatype === 'BYTES' ? 'STRING' : datatype
  return infer(
    `identity ${datatype} ${data}`,
    'identity',
    RAW(`{"name":"IN_${suffix}","shape":${shape},"datatype":"${datatype}","data":${data}}`),
  )
}

/** What every datatype does in JSON, in and out. */
const DATATYPES: readonly Ask[] = [
  same('BOOL', '[3]', '[true,false,true]'),
  same('BOOL', '[1]', '[1]'),
  same('BOOL', '[1]', '["true"]'),
  same('UINT8', '[3]', '[0,1,255]'),
  same('UINT8', '[1]', '[300]'),
  same('UINT8', '[1]', '[-1]'),
  same('UINT16', '[2]', '[0,65535]'),
  same('UINT16', '[1]', '[65536]'),
  same('UINT32', '[2]', '[0,4294967295]'),
  same('UINT32', '[1]', '[4294967296]'),
  same('UINT64', '[2]', '[0,18446744073709551615]'),
  same('UINT64', '[1]', '[18446744073709551616]'),
  same('UINT64', '[1]', '[-1]'),
  same('INT8', '[3]', '[-128,0,127]'),
  same('INT8', '[1]', '[128]'),
  same('INT16', '[2]', '[-32768,32767]'),
  same('INT32', '[2]', '[-2147483648,2147483647]'),
  same('INT32', '[1]', '[2147483648]'),
  same('INT32', '[1]', '[1.0]'),
  same('INT32', '[1]', '[1e2]'),
  same('INT32', '[1]', '["1"]'),
  same('INT32', '[1]', '[true]'),
  same('INT32', '[1]', '[null]'),
  same('INT32', '[1]', '[-0]'),
  same('INT64', '[3]', '[-9223372036854775808,9007199254740993,9223372036854775807]'),
  same('INT64', '[1]', '[9223372036854775808]'),
  same('INT64', '[1]', '[-9223372036854775809]'),
  same('FP16', '[1]', '[1.5]'),
  same('BF16', '[1]', '[1.5]'),
  same(
    'FP32',
    '[8]',
    '[0.1,1,-0.0,1e10,3.4028234663852886e38,1.401298464324817e-45,16777217,1e21]',
  ),
  same('FP32', '[6]', '[NaN,Inf,-Inf,Infinity,-Infinity,1]'),
  same('FP32', '[2]', '[1e39,-1e300]'),
  same('FP32', '[1]', '["1.5"]'),
  same('FP32', '[1]', '[true]'),
  same('FP32', '[2]', '[123456.789,0.000001]'),
  same('FP32', '[4]', '[1e-7,1.5e-9,123456789012345680000,1e22]'),
  same('FP64', '[7]', '[0.1,1,1e21,1e22,-1e-7,5e-324,1.7976931348623157e308]'),
  same('FP64', '[1]', '[1e309]'),
  same('FP64', '[2]', '[18446744073709551616,9007199254740993]'),
  same('FP64', '[3]', '[100000,1000000.5,1e5]'),
  same('BYTES', '[4]', String.raw`["","a\"b\\c\n","é€😀","\u0000\u001f/\/"]`),
  same('BYTES', '[1]', '[1]'),
  same('BYTES', '[1]', '[null]'),
  same('BYTES', '[2]', String.raw`["\ud83d\ude00","\u00e9"]`),
  same('BYTES', '[1]', String.raw`["\ud83d"]`),
  same('STRING', '[1]', '["a"]'),
  same('FLOAT', '[1]', '[1]'),
  same('fp32', '[1]', '[1]'),
]

/** Shapes, nesting and counts of `data`. */
const SHAPES: readonly Ask[] = [
  infer('data nested as the shape', 'matrix', FP32('[2,2]', '[[1,2],[3,4]]')),
  infer('data flat', 'matrix', FP32('[2,2]', '[1,2,3,4]')),
  infer('data nested otherwise than the shape', 'matrix', FP32('[2,2]', '[[1],[2,[3]],4]')),
  infer('data short', 'matrix', FP32('[2,2]', '[1,2,3]')),
  infer('data long', 'matrix', FP32('[2,2]', '[1,2,3,4,5]')),
  infer('data nested short', 'matrix', FP32('[2,2]', '[[1,2],[3]]')),
  infer('data nested long', 'matrix', FP32('[2,2]', '[[1,2],[3,4,5]]')),
  infer('data no array', 'matrix', FP32('[2,2]', '1')),
  infer('data an object', 'matrix', FP32('[2,2]', '{"a":1}')),
  infer('data null', 'matrix', FP32('[2,2]', 'null')),
  infer('data with an object in it', 'matrix', FP32('[2,1]', '[{},1]')),
  infer('data empty, shape of none', 'matrix', FP32('[2,0]', '[]')),
  infer('data empty nested, shape of none', 'matrix', FP32('[2,0]', '[[],[]]')),
  infer('data for a shape of none', 'matrix', FP32('[2,0]', '[1]')),
  infer('shape negative', 'matrix', FP32('[2,-1]', '[1,2]')),
  infer('shape of fractions', 'matrix', FP32('[2,1.0]', '[1,2]')),
  infer('shape of strings', 'matrix', FP32('["2",1]', '[1,2]')),
  infer('shape no array', 'matrix', FP32('2', '[1,2]')),
  infer('shape null', 'matrix', FP32('null', '[1,2]')),
  infer('shape huge', 'matrix', FP32('[9223372036854775807,2]', '[1,2]')),
  infer('shape over int64', 'matrix', FP32('[9223372036854775808,2]', '[1,2]')),
  infer('shape over uint64', 'matrix', FP32('[18446744073709551616,2]', '[1,2]')),
  infer('shape of many elements, little data', 'matrix', FP32('[2,1000000000000]', '[1,2]')),
  infer('shape wrong in a fixed dimension', 'matrix', FP32('[3,1]', '[1,2,3]')),
  infer('shape of wrong rank', 'matrix', FP32('[2]', '[1,2]')),
  infer('shape scalar', 'matrix', FP32('[]', '[1]')),
  infer('shape wrong, batching model', 'simple', {
    inputs: [
      input('INPUT0', 'INT32', [1, 8], RAMP.slice(8)),
      input('INPUT1', 'INT32', [1, 16], ONES),
    ],
  }),
  infer('batch dimension missing', 'simple', {
    inputs: [input('INPUT0', 'INT32', [16], RAMP), input('INPUT1', 'INT32', [16], ONES)],
  }),
  infer('batch dimension of a scalar', 'identity_fp32', FP32('[]', '[1]')),
  infer('batch over the maximum', 'identity_fp32', FP32('[5,1]', '[1,2,3,4,5]')),
  infer('batch of none', 'identity_fp32', FP32('[0,1]', '[]')),
  infer('batch sizes differ', 'simple', {
    inputs: [
      input('INPUT0', 'INT32', [2, 16], [...RAMP, ...RAMP]),
      input('INPUT1', 'INT32', [1, 16], ONES),
    ],
  }),
  infer('reshaped', 'reshaped', {
    inputs: [
      input('INPUT0', 'FP32', [1, 1], [1]),
      input('INPUT1', 'FP32', [1, 2, 2], [1, 2, 3, 4]),
    ],
  }),
  infer('reshaped wrongly', 'reshaped', {
    inputs: [input('INPUT0', 'FP32', [1, 1], [1]), input('INPUT1', 'FP32', [1, 4], [1, 2, 3, 4])],
  }),
]

/** Members of the request, right and wrong. */
const MEMBERS: readonly Ask[] = [
  infer('simple', 'simple', { inputs: SIMPLE_INPUTS }),
  infer('simple with id', 'simple', { id: '42', inputs: SIMPLE_INPUTS }),
  infer('simple version 3', 'simple/versions/3', { inputs: SIMPLE_INPUTS }),
  infer('simple version 1', 'simple/versions/1', { inputs: SIMPLE_INPUTS }),
  infer('version unknown', 'simple/versions/2', { inputs: SIMPLE_INPUTS }),
  infer('version no number', 'simple/versions/x', { inputs: SIMPLE_INPUTS }),
  infer('version over int64', 'simple/versions/99999999999999999999', { inputs: SIMPLE_INPUTS }),
  infer('model unknown', 'nosuch', { inputs: SIMPLE_INPUTS }),
  infer('model not loaded', 'fails_initialize', { inputs: [input('INPUT0', 'FP32', [1], [1])] }),
  infer('id a number', 'simple', { id: 42, inputs: SIMPLE_INPUTS }),
  infer('id empty', 'simple', { id: '', inputs: SIMPLE_INPUTS }),
  infer('id null', 'simple', '{"id":null,"inputs":[]}'),
  infer('unknown members', 'simple', { x: 1, model_name: 'y', inputs: SIMPLE_INPUTS }),
  infer('inputs missing', 'simple', {}),
  infer('inputs empty', 'simple', { inputs: [] }),
  infer('inputs an object', 'simple', { inputs: {} }),
  infer('inputs null', 'simple', '{"inputs":null}'),
  infer('inputs of numbers', 'simple', '{"inputs":[1]}'),
  infer('body an array', 'simple', '[]'),
  infer('body a string', 'simple', '"x"'),
  infer('body empty', 'simple', ''),
  infer('body blank', 'simple', ' '),
  infer('input name missing', 'simple', RAW('{"shape":[1],"datatype":"INT32","data":[1]}')),
  infer(
    'input name a number',
    'simple',
    RAW('{"name":1,"shape":[1],"datatype":"INT32","data":[1]}'),
  ),
  infer('input datatype missing', 'simple', RAW('{"name":"INPUT0","shape":[1],"data":[1]}')),
  infer(
    'input datatype a number',
    'simple',
    RAW('{"name":"A","shape":[1],"datatype":1,"data":[1]}'),
  ),
  infer('input shape missing', 'simple', RAW('{"name":"INPUT0","datatype":"INT32","data":[1]}')),
  infer('input data missing', 'simple', RAW('{"name":"INPUT0","shape":[1],"datatype":"INT32"}')),
  infer('input twice', 'simple', { inputs: [SIMPLE_INPUTS[0], SIMPLE_INPUTS[0]] }),
  infer('input missing', 'simple', { inputs: [SIMPLE_INPUTS[0]] }),
  infer('inputs too many', 'simple', {
    inputs: [...SIMPLE_INPUTS, input('INPUT2', 'INT32', [1, 1], [1])],
  }),
  infer('input unknown', 'simple', {
    inputs: [SIMPLE_INPUTS[0], input('INPUT2', 'INT32', [1, 16], ONES)],
  }),
  infer('input of another datatype', 'simple', {
    inputs: [SIMPLE_INPUTS[0], input('INPUT1', 'FP32', [1, 16], ONES)],
  }),
  infer('input unknown where all are optional', 'identity', {
    inputs: [input('NOPE', 'FP32', [1], [1])],
  }),
  infer('no input where all are optional', 'identity', { inputs: [] }),
  infer('output asked for', 'simple', { inputs: SIMPLE_INPUTS, outputs: [{ name: 'OUTPUT1' }] }),
  infer('outputs asked for in reverse', 'simple', {
    inputs: SIMPLE_INPUTS,
    outputs: [{ name: 'OUTPUT1' }, { name: 'OUTPUT0' }],
  }),
  infer('outputs empty', 'simple', { inputs: SIMPLE_INPUTS, outputs: [] }),
  infer('output unknown', 'simple', { inputs: SIMPLE_INPUTS, outputs: [{ name: 'NOPE' }] }),
  infer('output twice', 'simple', {
    inputs: SIMPLE_INPUTS,
    outputs: [{ name: 'OUTPUT0' }, { name: 'OUTPUT0' }],
  }),
  infer('output without name', 'simple', { inputs: SIMPLE_INPUTS, outputs: [{}] }),
  infer('outputs no array', 'simple', { inputs: SIMPLE_INPUTS, outputs: 1 }),
  infer('fails at execute', 'fails_execute', { inputs: [input('INPUT0', 'FP32', [1], [1])] }),
  infer('decoupled over infer', 'repeats', { inputs: [input('INPUT0', 'INT32', [1], [1])] }),
  infer('dynamic batching', 'batcher', { inputs: [input('INPUT0', 'FP32', [2, 2], [1, 2, 3, 4])] }),
]

/** JSON that is none, and JSON at the edge. */
const SYNTAX: readonly Ask[] = [
  ['object not closed', '{'],
  ['array not closed', '{"inputs":['],
  ['string not closed', '{"id":"a'],
  ['member without name', '{1:2}'],
  ['member without colon', '{"a" 1}'],
  ['member without comma', '{"a":1 "b":2}'],
  ['comma at the end of an object', '{"a":1,}'],
  ['comma at the end of an array', '{"a":[1,]}'],
  ['elements without comma', '{"a":[1 2]}'],
  ['value invalid', '{"a":tru}'],
  ['single quotes', "{'a':1}"],
  ['text behind', '{"inputs":[]} x'],
  ['escape invalid', String.raw`{"a":"\x"}`],
  ['hex invalid', String.raw`{"a":"\u00zz"}`],
  ['surrogate invalid', String.raw`{"a":"\ud800x"}`],
  ['surrogate low alone', String.raw`{"a":"\udc00"}`],
  ['control character in string', '{"a":"\u0001"}'],
  ['newline in string', '{"a":"\n"}'],
  ['number without fraction', '{"a":1.}'],
  ['number without exponent', '{"a":1e}'],
  ['number too big', '{"a":1e999}'],
  ['number with leading zero', '{"a":01}'],
  ['number with plus', '{"a":+1}'],
  ['minus alone', '{"a":-}'],
  ['number beginning with a point', '{"a":.5}'],
  ['comment', '{/* x */"inputs":[]}'],
  ['byte order mark', '\ufeff{"inputs":[]}'],
  ['NaN misspelt', '{"a":nan}'],
  ['Infi', '{"a":Infi}'],
  ['duplicate member', '{"id":"first","id":2,"inputs":[]}'],
  ['nested 90 deep', `{"a":${'['.repeat(90)}${']'.repeat(90)},"inputs":[]}`],
].map(([name, body]) => infer(`json: ${name}`, 'simple', body ?? ''))

/** Where an input's elements come from. */
const SOURCES: readonly Ask[] = [
  ['two sources', '"data":[1],"parameters":{"binary_data_size":4}'],
  ['binary size without header', '"parameters":{"binary_data_size":4}'],
  ['shared memory and data', '"data":[1],"parameters":{"shared_memory_region":"r"}'],
  [
    'shared memory unknown',
    '"parameters":{"shared_memory_region":"r","shared_memory_byte_size":4}',
  ],
  ['shared memory without size', '"parameters":{"shared_memory_region":"r"}'],
  ['binary size a string', '"parameters":{"binary_data_size":"4"}'],
  ['binary size negative', '"parameters":{"binary_data_size":-4}'],
  ['input parameters no object', '"data":[1],"parameters":1'],
  ['input parameter unknown', '"data":[1],"parameters":{"x":1}'],
].map(([name, member]) => infer(`source: ${name}`, 'identity', ONE(member ?? '')))

export const INFER_REQUESTS: readonly Ask[] = [
  ...DATATYPES,
  ...SHAPES,
  ...MEMBERS,
  ...SYNTAX,
  ...SOURCES,
]
