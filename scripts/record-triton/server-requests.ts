import { SIMPLE_INPUTS, infer, input, post } from './ask.ts'
import type { Ask } from './exchange.ts'

function get(path: string): Ask {
  return { name: `GET ${path}`, path }
}

function withParameters(name: string, parameters: string): Ask {
  return infer(
    `parameters: ${name}`,
    'parameters',
    `{"id":"p","parameters":${parameters},"inputs":[{"name":"INPUT0","shape":[1],"datatype":"FP32","data":[1]}]}`,
  )
}

function step(name: string, value: number, parameters: Readonly<Record<string, unknown>>): Ask {
  return infer(`sequence: ${name}`, 'accumulate', {
    parameters,
    inputs: [input('INPUT0', 'INT32', [1, 1], [value])],
  })
}

const MODELS = [
  'simple',
  'identity',
  'identity_fp32',
  'reshaped',
  'batcher',
  'cpu_default',
  'accumulate',
  'text',
]

const DESCRIPTIONS: readonly Ask[] = [
  get('/v2'),
  get('/v2/'),
  get('/v2?x=1'),
  get('/v2/health/live'),
  get('/v2/health/ready'),
  ...MODELS.flatMap((model) => [get(`/v2/models/${model}`), get(`/v2/models/${model}/config`)]),
  get('/v2/models/simple/versions/1'),
  get('/v2/models/simple/versions/3/config'),
  get('/v2/models/simple/versions/2'),
  get('/v2/models/simple/versions/x'),
  get('/v2/models/simple/versions/2/config'),
  get('/v2/models/simple/ready'),
  get('/v2/models/simple/versions/1/ready'),
  get('/v2/models/simple/versions/2/ready'),
  get('/v2/models/nosuch'),
  get('/v2/models/nosuch/config'),
  get('/v2/models/nosuch/ready'),
  get('/v2/models/nosuch/stats'),
  get('/v2/models/fails_initialize'),
  get('/v2/models/fails_initialize/ready'),
  get('/v2/models/simple/'),
  get('/v2/models/simple/nosuch'),
  get('/v2/models/simple?x=1'),
  get('/nosuch'),
  get('/'),
  get('/v2/models/simple/infer'),
  post('POST to metadata', '/v2/models/simple'),
  post('POST to config', '/v2/models/simple/config'),
  post('POST to live', '/v2/health/live'),
  post('POST to /v2', '/v2'),
  { name: 'PUT to infer', method: 'PUT', path: '/v2/models/simple/infer', body: '{}' },
]

const PARAMETERS: readonly Ask[] = [
  withParameters('of every type', '{"s":"x","i":7,"b":true,"n":-1,"big":9223372036854775807}'),
  withParameters('a fraction', '{"d":1.5}'),
  withParameters('over int64', '{"u":18446744073709551615}'),
  withParameters('an array', '{"a":[1]}'),
  withParameters('an object', '{"o":{}}'),
  withParameters('null', '{"o":null}'),
  withParameters('no object', '[1]'),
  withParameters('reserved', '{"triton_x":1}'),
  withParameters('sequence', '{"sequence_id":5,"sequence_start":true,"sequence_end":false}'),
  withParameters('sequence id a string', '{"sequence_id":"five"}'),
  withParameters('sequence id a fraction', '{"sequence_id":1.5}'),
  withParameters('sequence id negative', '{"sequence_id":-1}'),
  withParameters('sequence start a number', '{"sequence_start":1}'),
  withParameters('priority and timeout', '{"priority":2,"timeout":500000}'),
  withParameters('priority a string', '{"priority":"2"}'),
  withParameters('timeout negative', '{"timeout":-1}'),
]

const SEQUENCES: readonly Ask[] = [
  step('without id', 1, {}),
  step('without start', 1, { sequence_id: 3 }),
  step('start', 1, { sequence_id: 3, sequence_start: true }),
  step('middle', 2, { sequence_id: 3 }),
  step('another beside it', 10, { sequence_id: 4, sequence_start: true }),
  step('end', 3, { sequence_id: 3, sequence_end: true }),
  step('after its end', 3, { sequence_id: 3 }),
  step('another ends', 10, { sequence_id: 4, sequence_end: true }),
  step('start and end', 7, { sequence_id: 9, sequence_start: true, sequence_end: true }),
  step('id a string', 7, { sequence_id: 'a', sequence_start: true, sequence_end: true }),
  infer('sequence: batch of two', 'accumulate', {
    parameters: { sequence_id: 8, sequence_start: true },
    inputs: [input('INPUT0', 'INT32', [2, 1], [1, 2])],
  }),
]

function generate(name: string, body: unknown, model = 'text', verb = 'generate'): Ask {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return post(`${verb}: ${name}`, `/v2/models/${model}/${verb}`, text)
}

const TWICE = { text_input: 'hello', REPETITION: 2 }
const GENERATES: readonly Ask[] = [
  generate('one response', { text_input: 'hello' }),
  generate('with id', { id: 'g1', text_input: 'hello' }),
  generate('array', { text_input: ['hello'] }),
  generate('array of two', { text_input: ['hello', 'you'] }),
  generate('parameters', { text_input: 'hello', parameters: { REPETITION: 1, x: 'y' } }),
  generate('unknown members', { text_input: 'hello', stream: false, top: 1.5 }),
  generate('two responses', TWICE),
  generate('no response', { text_input: 'hello', REPETITION: 0 }),
  generate('error', { text_input: 'hello', REPETITION: -1 }),
  generate('input missing', { REPETITION: 1 }),
  generate('input of another type', { text_input: 5 }),
  generate('input an object', { text_input: {} }),
  generate('shape filled', { text_input: 'hello', SCALE: [1, 2, 3, 4] }),
  generate('shape that does not fit', { text_input: 'hello', SCALE: [1, 2, 3] }),
  generate('no JSON', '{'),
  generate('no object', '[]'),
  generate('empty', ''),
  generate('model unknown', { text_input: 'hello' }, 'nosuch'),
  generate('model not decoupled', { INPUT0: [1, 2] }, 'identity_fp32'),
  generate('one response', { text_input: 'hello' }, 'text', 'generate_stream'),
  generate('two responses', TWICE, 'text', 'generate_stream'),
  generate('no response', { text_input: 'hello', REPETITION: 0 }, 'text', 'generate_stream'),
  generate('error', { text_input: 'hello', REPETITION: -1 }, 'text', 'generate_stream'),
  generate('input missing', { REPETITION: 1 }, 'text', 'generate_stream'),
  generate('no JSON', '{', 'text', 'generate_stream'),
]

const LOAD = '/v2/repository/models'
const CHANGED = { max_batch_size: 2, backend: 'python', name: 'identity_fp32' }

const REPOSITORY: readonly Ask[] = [
  post('index', '/v2/repository/index'),
  post('index of the ready', '/v2/repository/index', { ready: true }),
  post('index of the ready, wrong type', '/v2/repository/index', { ready: 'yes' }),
  post('index no JSON', '/v2/repository/index', '{'),
  post('index of a repository', '/v2/repository/x/index'),
  get('/v2/repository/index'),
  post('load', `${LOAD}/matrix/load`),
  post('load unknown', `${LOAD}/nosuch/load`),
  post('load one that fails', `${LOAD}/fails_initialize/load`),
  post('load with unknown parameter', `${LOAD}/matrix/load`, { parameters: { x: 1 } }),
  post('load with config', `${LOAD}/identity_fp32/load`, {
    parameters: { config: JSON.stringify(CHANGED) },
  }),
  { ...get('/v2/models/identity_fp32/config'), name: 'config after load with config' },
  post('load with config no JSON', `${LOAD}/identity_fp32/load`, { parameters: { config: '{' } }),
  post('load with config of unknown field', `${LOAD}/identity_fp32/load`, {
    parameters: { config: '{"nope":1}' },
  }),
  post('load with file without config', `${LOAD}/identity_fp32/load`, {
    parameters: { 'file:1/model.py': 'eA==' },
  }),
  post('load plain again', `${LOAD}/identity_fp32/load`),
  { ...get('/v2/models/identity_fp32/config'), name: 'config after plain load' },
  post('unload', `${LOAD}/matrix/unload`),
  post('unload with dependents', `${LOAD}/grid/unload`, {
    parameters: { unload_dependents: true },
  }),
  post('unload unknown', `${LOAD}/nosuch/unload`),
]

const SETTINGS: readonly Ask[] = [
  get('/v2/logging'),
  post('logging: verbose', '/v2/logging', { log_verbose_level: 0, log_format: 'ISO8601' }),
  post('logging: format unknown', '/v2/logging', { log_format: 'x' }),
  post('logging: setting unknown', '/v2/logging', { x: 1 }),
  post('logging: wrong type', '/v2/logging', { log_info: 1 }),
  post('logging: no JSON', '/v2/logging', '{'),
  post('logging: back', '/v2/logging', { log_format: 'default' }),
  get('/v2/trace/setting'),
  get('/v2/models/simple/trace/setting'),
  get('/v2/models/nosuch/trace/setting'),
  post('trace: level', '/v2/trace/setting', { trace_level: ['TIMESTAMPS'], trace_rate: '5' }),
  post('trace: level unknown', '/v2/trace/setting', { trace_level: ['X'] }),
  post('trace: rate wrong', '/v2/trace/setting', { trace_rate: 'x' }),
  post('trace: setting unknown', '/v2/trace/setting', { x: '1' }),
  post('trace: off', '/v2/trace/setting', { trace_level: ['OFF'], trace_rate: null }),
  get('/v2/systemsharedmemory/status'),
  get('/v2/systemsharedmemory/region/r/status'),
  post('shared memory: unregister', '/v2/systemsharedmemory/unregister'),
  get('/v2/cudasharedmemory/status'),
]

// Counters are of the whole recording, so what came before belongs to them.
const STATISTICS: readonly Ask[] = [
  infer('statistics: a call of its own', 'batcher', {
    inputs: [input('INPUT0', 'FP32', [2, 2], [1, 2, 3, 4])],
  }),
  get('/v2/models/batcher/stats'),
  get('/v2/models/batcher/versions/1/stats'),
  get('/v2/models/batcher/versions/2/stats'),
  get('/v2/models/cpu_default/stats'),
]

export const SERVER_REQUESTS: readonly Ask[] = [
  ...DESCRIPTIONS,
  ...PARAMETERS,
  ...SEQUENCES,
  ...GENERATES,
  ...STATISTICS,
  ...SETTINGS,
  ...REPOSITORY,
  infer('simple after all', 'simple', { inputs: SIMPLE_INPUTS }),
]
