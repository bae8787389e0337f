import { infer, input, post } from './ask.ts'
import type { Ask } from './exchange.ts'

function order(name: string, more: Readonly<Record<string, unknown>> = {}): Ask {
  return infer(`obeys: ${name}`, 'obeys', {
    ...more,
    inputs: [input('ORDER', 'BYTES', [1], [name])],
  })
}

function floats(name: string, model: string, shape: readonly number[] = [2]): Ask {
  return infer(name, model, { inputs: [input('INPUT0', 'FP32', shape, [1, 2])] })
}

const ORDERS = [
  'raise_value_error',
  'raise_model_exception',
  'answer_no_list',
  'answer_too_few',
  'answer_a_string',
  'fail_default',
  'fail_with_outputs',
  'fail_unknown',
  'fail_internal',
  'fail_not_found',
  'fail_invalid_arg',
  'fail_unavailable',
  'fail_unsupported',
  'fail_already_exists',
  'fail_cancelled',
  'omit_output',
  'add_output',
  'give_complex',
  'give_list',
  'give_str_array',
  'give_bytes_array',
  'give_mixed_objects',
  'give_other_type',
  'give_columns',
  'give_parameters',
  'give_bad_parameters',
  'see_args',
  'see_config',
  'see_tensor',
  'see_types',
  'see_dlpack',
  'see_response',
  'call_good',
  'call_with_version',
  'call_wrong_version',
  'call_unknown',
  'call_wrong_output',
  'call_wrong_input',
  'call_wrong_type',
  'call_failing',
  'call_decoupled_plainly',
  'call_decoupled',
  'call_decoupled_nothing',
  'call_undecoupled_as_decoupled',
  'send_one',
  'send_then_final',
  'send_two',
  'send_wrong',
  'count_a_metric',
  'gauge_a_metric',
  'load_unknown',
  'load_and_unload',
  'no_such_order',
] as const

/** Models whose load fails, each in another way. */
const FAILING = [
  'syntax_error',
  'no_class',
  'no_module',
  'no_execute',
  'initialize_raises',
  'exits',
  'completes_wrongly',
  'completes_with_nothing',
  'incomplete',
] as const

const LOADED = [
  'obeys',
  'doubles',
  'raises',
  'counts',
  'decoupled_returns',
  'awaits',
  'completes',
] as const

/** What the Python backend does, asked of the models of `python-repository`. */
export const PYTHON_REQUESTS: readonly Ask[] = [
  ...[...LOADED, ...FAILING].map((model) =>
    post(`load ${model}`, `/v2/repository/models/${model}/load`),
  ),
  post('index', '/v2/repository/index'),
  ...ORDERS.map((name) => order(name)),
  order('see_request', {
    id: 'r1',
    parameters: { sequence_id: 5, sequence_start: true, timeout: 1000, mood: 'good', count: 3 },
    outputs: [{ name: 'ANSWER' }],
  }),
  floats('raises', 'raises'),
  floats('awaits', 'awaits'),
  floats('no execute', 'no_execute'),
  floats('completed', 'completes', [1, 2]),
  { name: 'completed configuration', path: '/v2/models/completes/config' },
  // The last one: it may end that release of tritonserver.
  order('clash_of_metrics'),
]
