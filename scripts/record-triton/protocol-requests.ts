import { infer, post } from './ask.ts'
import type { Ask } from './exchange.ts'

/** Stands in requests for the name of a piece of shared memory of 64 bytes: the floats 0 to 15. */
export const SHARED_KEY = '<shm>'

const get = (path: string): Ask => ({ name: `GET ${path}`, path })
const REGION = '/v2/systemsharedmemory/region'
const X = { name: 'INPUT0', shape: [1, 2], datatype: 'FP32' }

function register(name: string, body: unknown, region = 'other'): Ask {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return post(`register: ${name}`, `${REGION}/${region}/register`, text)
}

function fromRegion(name: string, parameters: Readonly<Record<string, unknown>>): Ask {
  return infer(`input in memory: ${name}`, 'identity_fp32', { inputs: [{ ...X, parameters }] })
}

function toRegion(name: string, parameters: Readonly<Record<string, unknown>>): Ask {
  return infer(`output in memory: ${name}`, 'identity_fp32', {
    inputs: [{ ...X, data: [1, 2] }],
    outputs: [{ name: 'OUTPUT0', parameters }],
  })
}

const key = SHARED_KEY
const REGIONS: readonly Ask[] = [
  register('a region', { key, offset: 0, byte_size: 64 }, 'r'),
  register('its name again', { key, offset: 0, byte_size: 64 }, 'r'),
  register('nothing there', { key: '/berth-nothing', offset: 0, byte_size: 64 }),
  register('no key', { offset: 0, byte_size: 64 }),
  register('no size', { key, offset: 0 }),
  register('offset a text', { key, offset: 'x', byte_size: 1 }),
  register('size negative', { key, offset: 0, byte_size: -1 }),
  register('size 0', { key, offset: 0, byte_size: 0 }),
  register('too large', { key, offset: 0, byte_size: 65 }),
  register('behind the end', { key, offset: 60, byte_size: 8 }),
  register('an offset within a page', { key, offset: 32, byte_size: 32 }),
  register(
    'an offset that overflows',
    `{"key":"${key}","offset":18446744073709551615,"byte_size":8}`,
  ),
  register('a path', { key: '/../etc/passwd', offset: 0, byte_size: 8 }),
  register('key empty', { key: '', offset: 0, byte_size: 8 }),
  register('key a number', { key: 5, offset: 0, byte_size: 8 }),
  register('no JSON', '{'),
  register('empty', ''),
  register('no object', '[]'),
  post('register: without a name', '/v2/systemsharedmemory/register', {}),
  get('/v2/systemsharedmemory/status'),
  get(`${REGION}/r/status`),
  get(`${REGION}/nosuch/status`),
  get(`${REGION}/r/register`),
  get('/v2/systemsharedmemory/unregister'),
  post('POST to status', '/v2/systemsharedmemory/status'),
]

const region = { shared_memory_region: 'r' }
const INPUTS: readonly Ask[] = [
  fromRegion('at its beginning', { ...region, shared_memory_byte_size: 8 }),
  fromRegion('at an offset', { ...region, shared_memory_byte_size: 8, shared_memory_offset: 8 }),
  fromRegion('no size', region),
  fromRegion('size 0', { ...region, shared_memory_byte_size: 0 }),
  fromRegion('too small', { ...region, shared_memory_byte_size: 4 }),
  fromRegion('too large', { ...region, shared_memory_byte_size: 16 }),
  fromRegion('across the end', { ...region, shared_memory_byte_size: 8, shared_memory_offset: 60 }),
  fromRegion('behind the end', { ...region, shared_memory_byte_size: 8, shared_memory_offset: 64 }),
  fromRegion('larger than the region', { ...region, shared_memory_byte_size: 800 }),
  fromRegion('no such region', { shared_memory_region: 'nosuch', shared_memory_byte_size: 8 }),
  fromRegion('region a number', { shared_memory_region: 5, shared_memory_byte_size: 8 }),
  fromRegion('size a text', { ...region, shared_memory_byte_size: '8' }),
  fromRegion('offset negative', {
    ...region,
    shared_memory_byte_size: 8,
    shared_memory_offset: -1,
  }),
  fromRegion('and bytes', { ...region, shared_memory_byte_size: 8, binary_data_size: 8 }),
]

const OUTPUTS: readonly Ask[] = [
  toRegion('at an offset', { ...region, shared_memory_byte_size: 8, shared_memory_offset: 40 }),
  toRegion('too small', { ...region, shared_memory_byte_size: 4 }),
  toRegion('no size', region),
  toRegion('across the end', { ...region, shared_memory_byte_size: 16, shared_memory_offset: 56 }),
  toRegion('behind the end', { ...region, shared_memory_byte_size: 8, shared_memory_offset: 64 }),
  toRegion('no such region', { shared_memory_region: 'nosuch', shared_memory_byte_size: 8 }),
  toRegion('and classes', { ...region, shared_memory_byte_size: 8, classification: 2 }),
  toRegion('and bytes', { ...region, shared_memory_byte_size: 8, binary_data: true }),
  toRegion('and no bytes', { ...region, shared_memory_byte_size: 8, binary_data: false }),
  toRegion('size a text', { ...region, shared_memory_byte_size: 'x' }),
  toRegion('size without region', { shared_memory_byte_size: 8 }),
  fromRegion('after what was written', {
    ...region,
    shared_memory_byte_size: 8,
    shared_memory_offset: 40,
  }),
]

const CUDA = '/v2/cudasharedmemory'
const b64 = Buffer.alloc(64, 'x').toString('base64')
const OTHERS: readonly Ask[] = [
  post('cuda: register', `${CUDA}/region/c/register`, {
    raw_handle: { b64 },
    device_id: 0,
    byte_size: 64,
  }),
  post('cuda: handle cut off', `${CUDA}/region/c/register`, {
    raw_handle: { b64: 'eHh4' },
    device_id: 0,
    byte_size: 64,
  }),
  post('cuda: no handle', `${CUDA}/region/c/register`, { device_id: 0, byte_size: 64 }),
  post('cuda: handle empty', `${CUDA}/region/c/register`, { raw_handle: {}, byte_size: 64 }),
  get(`${CUDA}/status`),
  get(`${CUDA}/region/c/status`),
  post('cuda: unregister', `${CUDA}/region/c/unregister`),
  post('cuda: unregister all', `${CUDA}/unregister`),
  post('unregister unknown', `${REGION}/nosuch/unregister`),
  post('unregister', `${REGION}/r/unregister`),
  fromRegion('after it is gone', { ...region, shared_memory_byte_size: 8 }),
  post('unregister all', '/v2/systemsharedmemory/unregister'),
  { ...get('/v2/systemsharedmemory/status'), name: 'status at the end' },
]

const M = '/v2/models/identity_fp32/trace/setting'
const T = '/v2/trace/setting'
function trace(name: string, body: unknown, path = M): Ask {
  return post(`trace: ${name}`, path, typeof body === 'string' ? body : JSON.stringify(body))
}

const TRACES: readonly Ask[] = [
  get(T),
  trace('level OFF', { trace_level: ['OFF'] }),
  trace('OFF beside another', { trace_level: ['OFF', 'TIMESTAMPS'] }),
  trace('level no array', { trace_level: 'TIMESTAMPS' }),
  trace('level of numbers', { trace_level: [1] }),
  trace('level unknown', { trace_level: ['X'] }),
  trace('levels in another order', { trace_level: ['TENSORS', 'TIMESTAMPS'] }),
  trace('no level', { trace_level: [] }),
  trace('level unknown beside one', { trace_level: ['X', 'TIMESTAMPS'] }),
  trace('level back', { trace_level: null }),
  trace('rate a number', { trace_rate: 5 }),
  trace('rate 0', { trace_rate: '0' }),
  trace('rate negative', { trace_rate: '-1' }),
  trace('rate with letters', { trace_rate: '5x' }),
  trace('rate empty', { trace_rate: '' }),
  trace('rate too large', { trace_rate: '99999999999' }),
  trace('rate an array', { trace_rate: ['5'] }),
  trace('count too small', { trace_count: '-2' }),
  trace('count', { trace_count: '3' }),
  trace('count with letters', { trace_count: '5x' }),
  trace('count too large', { trace_count: '99999999999' }),
  trace('frequency negative', { log_frequency: '-1' }),
  trace('frequency', { log_frequency: '2' }),
  trace('frequency a word', { log_frequency: 'x' }),
  trace('frequency too large', { log_frequency: '99999999999' }),
  trace('file', { trace_file: '/tmp/x' }),
  trace('file back', { trace_file: null }),
  trace('mode', { trace_mode: 'opentelemetry' }),
  trace('all back', { trace_rate: null, trace_count: null, log_frequency: null }),
  trace('no object', '[]'),
  trace('no JSON', '{'),
  trace('empty', ''),
  trace('of all models', { trace_rate: '9' }, T),
  { ...get(M), name: 'trace: a model takes over what is of all' },
  trace('of one model', { trace_rate: '4' }),
  trace('of all models back', { trace_rate: null }, T),
  { ...get(M), name: 'trace: a model keeps its own' },
  trace('of one model back', { trace_rate: null }),
  trace('every second, three of them, two in a file', {
    trace_level: ['TIMESTAMPS', 'TENSORS'],
    trace_rate: '2',
    trace_count: '3',
    log_frequency: '2',
  }),
  ...Array.from({ length: 8 }, (_, index) =>
    infer(`traced ${index}`, 'identity_fp32', {
      id: String(index),
      inputs: [{ ...X, data: [index, 0.5] }],
    }),
  ),
  { ...get(M), name: 'trace: none is left' },
]

const LOGGING: readonly Ask[] = [
  post('logging: file', '/v2/logging', { log_file: 'x' }),
  post('logging: level negative', '/v2/logging', { log_verbose_level: -1 }),
  post('logging: level a text', '/v2/logging', { log_verbose_level: '1' }),
  post('logging: format a number', '/v2/logging', { log_format: 1 }),
  post('logging: level', '/v2/logging', { log_verbose_level: 1 }),
  post('logging: warnings off', '/v2/logging', { log_warning: false }),
  post('logging: back', '/v2/logging', { log_warning: true, log_verbose_level: 0 }),
  post('logging: no object', '/v2/logging', '[]'),
  post('logging: empty', '/v2/logging', ''),
]

function generate(name: string, model: string, body: unknown, verb = 'generate'): Ask {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return post(`${verb}: ${name}`, `/v2/models/${model}/${verb}`, text)
}

const hello = { text_input: 'hello' }
const GENERATES: readonly Ask[] = [
  generate('id a number', 'text', { ...hello, id: 5 }),
  generate('id empty', 'text', { ...hello, id: '' }),
  generate('parameters an array', 'text', { ...hello, parameters: [1] }),
  generate('parameter an array', 'text', { ...hello, x: [1, 2] }),
  generate('parameter an object', 'text', { ...hello, x: { a: 1 } }),
  generate('parameter null', 'text', { ...hello, x: null }),
  generate('input null', 'text', { text_input: null }),
  generate('input nested', 'text', { text_input: [['hello']] }),
  generate('input without elements', 'text', { text_input: [] }),
  generate('a fraction for an integer', 'text', { ...hello, REPETITION: 1.5 }),
  generate('a truth for an integer', 'text', { ...hello, REPETITION: true }),
  generate('a text for an integer', 'text', { ...hello, REPETITION: '1' }),
  generate('input among parameters', 'text', { parameters: hello }),
  generate('input twice', 'text', { ...hello, parameters: { text_input: 'you' } }),
  generate('parameters in parameters', 'text', { ...hello, parameters: { parameters: {} } }),
  generate('names that are reserved elsewhere', 'text', {
    ...hello,
    sequence_id: 5,
    priority: 1,
    triton_x: 5,
    timeout: -1,
  }),
  generate('a version', 'text/versions/1', hello),
  generate('a version that is not there', 'text/versions/2', hello),
  { ...get('/v2/models/text/generate'), name: 'GET generate' },
  generate('parameters of every type', 'parameters', {
    INPUT0: 1,
    x: 1.5,
    n: -1,
    s: 'a',
    b: true,
  }),
  generate('every datatype', 'identity', {
    IN_BOOL: true,
    IN_UINT8: [1, 300],
    IN_FP64: 1.5,
    IN_STRING: ['a', 'b'],
    IN_FP32: [1, 2.5],
    IN_INT8: [-1],
  }),
  generate('no element', 'identity', { IN_INT32: [] }),
  generate('a half', 'identity', { IN_FP16: 1.5 }),
  generate('a stream that fails at once', 'fails_execute', { INPUT0: [1] }, 'generate_stream'),
  generate('a model that fails', 'fails_execute', { INPUT0: [1] }),
  generate('two elements', 'identity_fp32', { INPUT0: [1, 2] }),
  generate('one element', 'identity_fp32', { INPUT0: 1 }),
  generate('with an id', 'identity_fp32', { INPUT0: [1, 2], id: 'g' }),
  generate('a stream of one', 'identity_fp32', { INPUT0: [1, 2] }, 'generate_stream'),
  generate('unknown', 'nosuch', { INPUT0: [1, 2] }, 'generate_stream'),
  generate('an array in an array', 'identity_fp32', { INPUT0: [[1, 2]] }),
  generate('a text for a number', 'identity_fp32', { INPUT0: 'x' }),
  generate('null for a number', 'identity_fp32', { INPUT0: null }),
  generate('an object for a number', 'identity_fp32', { INPUT0: {} }),
  generate('a text', 'identity_bytes', { INPUT0: 'a"ä,]' }),
  generate('texts', 'identity_bytes', { INPUT0: ['a', '', '[,'] }),
  generate('a number for a text', 'identity_bytes', { INPUT0: 1 }),
  generate('a matrix', 'matrix', { INPUT0: [1, 2, 3, 4] }),
  generate('a matrix that does not fit', 'matrix', { INPUT0: [1, 2, 3] }),
  generate('a grid', 'grid', { INPUT0: [1, 2, 3, 4] }),
  generate('two inputs', 'simple', { INPUT0: Array(16).fill(1), INPUT1: Array(16).fill(2) }),
  generate('batches that differ', 'simple', {
    INPUT0: Array(32).fill(1),
    INPUT1: Array(16).fill(2),
  }),
  {
    ...generate('compressed', 'identity_fp32', { INPUT0: [1, 2] }),
    headers: { 'Content-Encoding': 'gzip' },
  },
  {
    ...generate('an answer is not compressed', 'identity_fp32', { INPUT0: [1, 2] }),
    headers: { 'Accept-Encoding': 'gzip' },
  },
]

/** What the extensions of the protocol are asked: shared memory, tracing, logging, generate. */
export const PROTOCOL_REQUESTS: readonly Ask[] = [
  ...REGIONS,
  ...INPUTS,
  ...OUTPUTS,
  ...OTHERS,
  ...TRACES,
  ...LOGGING,
  ...GENERATES,
]
