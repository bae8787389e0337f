/** A configuration to load, and what it is about. */
export interface ConfigAsk {
  readonly name: string
  readonly text: string
}

const IO = `input { name: "I" data_type: TYPE_FP32 dims: [ 2 ] }
output { name: "O" data_type: TYPE_FP32 dims: [ 2 ] }
`
const HEAD = `backend: "python"\n${IO}`

/** A model of one input, whose fields are given. */
function withInput(fields: string): string {
  return `backend: "python"
input { name: "I" data_type: TYPE_FP32 ${fields} }
output { name: "O" data_type: TYPE_FP32 dims: [ 2 ] }
`
}

function named(
  table: Readonly<Record<string, string>>,
  wrap: (text: string) => string,
): ConfigAsk[] {
  return Object.entries(table).map(([name, text]) => ({ name, text: wrap(text) }))
}

/** Constructs of the text format, right and wrong, behind a configuration that is right. */
const GRAMMAR = named(
  {
    'comments and blank lines': '# one\n\n  # two\nmax_batch_size: 1 # three',
    'Windows line ends': 'max_batch_size: 1\r\nruntime: ""\r\n',
    separators: 'max_batch_size: 1, runtime: ""; metric_tags { key: "a", value: "b"; },',
    'two separators': 'max_batch_size: 1,, runtime: ""',
    'angle brackets': 'parameters < key: "k" value < string_value: "v" > >',
    'brackets mixed': 'parameters { key: "k" value: { string_value: "v" > }',
    'colon before a message': 'parameters: { key: "k" value: { string_value: "v" } }',
    'no colon before a scalar': 'max_batch_size 1',
    'list of messages': 'parameters [ { key: "a" }, { key: "b" value { string_value: "v" } } ]',
    'list of messages behind a colon': 'parameters: [ { key: "a" } ]',
    'empty list': 'parameters: [ ]',
    'empty list without colon': 'parameters [ ]',
    'list of a singular field': 'max_batch_size: [ 1 ]',
    'list with a comma at its end': 'dynamic_batching { preferred_batch_size: [ 1, ] }',
    'list without commas': 'dynamic_batching { preferred_batch_size: [ 1 2 ] }',
    'list not closed': 'dynamic_batching { preferred_batch_size: [ 1, 2 }',
    'scalar list without colon':
      'dynamic_batching { preferred_batch_size [ 1, 2 ] } max_batch_size: 2',
    'repeated lines and lists':
      'max_batch_size: 8 dynamic_batching { preferred_batch_size: 1 preferred_batch_size: [ 2, 3 ] preferred_batch_size: 4 }',
    'map key twice': 'metric_tags { key: "a" value: "1" } metric_tags { key: "a" value: "2" }',
    'map entry without key': 'metric_tags { value: "1" }',
    'map entry without value': 'metric_tags { key: "a" }',
    'map entry of another field': 'metric_tags { key: "a" x: "1" }',
    'map of numbers':
      'dynamic_batching { priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 2 value { max_queue_size: 3 } } }',
    'strings side by side': 'metric_tags { key: "a" value: "one " \'two\'\n"three" }',
    escapes: String.raw`metric_tags { key: "a" value: "\n\r\t\"\'\\\a\b\f\v\?|\101|\x41|\u00e9|\U0001F600" }`,
    'escape unknown': String.raw`metric_tags { key: "a" value: "\q" }`,
    'escape of few digits': String.raw`metric_tags { key: "a" value: "\x" }`,
    'surrogate escapes': String.raw`metric_tags { key: "a" value: "\ud83d\ude00" }`,
    'escape beyond Unicode': String.raw`metric_tags { key: "a" value: "\U00110000" }`,
    'octal escape of one digit': String.raw`metric_tags { key: "a" value: "\7x\0601" }`,
    'newline in a string': 'metric_tags { key: "a\n" value: "b" }',
    'string not closed': 'metric_tags { key: "a',
    'string of no UTF-8': String.raw`metric_tags { key: "a" value: "\377" }`,
    'enum by number': 'instance_group { kind: 2 }',
    'enum by unknown number': 'instance_group { kind: 99 }',
    'enum quoted': 'instance_group { kind: "KIND_CPU" }',
    'enum unknown': 'instance_group { kind: KIND_TPU }',
    'enum in another case': 'instance_group { kind: kind_cpu }',
    'enum negative': 'instance_group { kind: -1 }',
    hexadecimal: 'max_batch_size: 0x10',
    octal: 'max_batch_size: 010',
    'octal wrong': 'max_batch_size: 08',
    negative: 'max_batch_size: -1',
    'minus apart': 'max_batch_size: - 1',
    'int32 too large': 'max_batch_size: 2147483648',
    'int32 smallest': 'max_batch_size: -2147483648',
    'integer of letters': 'max_batch_size: one',
    'integer of a fraction': 'max_batch_size: 1.0',
    'integer of an exponent': 'max_batch_size: 1e1',
    'integer of a string': 'max_batch_size: "1"',
    'integer followed by letters': 'max_batch_size: 1x',
    'unsigned negative': 'optimization { gather_kernel_buffer_threshold: -1 }',
    'uint64 large': 'dynamic_batching { max_queue_delay_microseconds: 18446744073709551615 }',
    'uint64 too large': 'dynamic_batching { max_queue_delay_microseconds: 18446744073709551616 }',
    booleans: 'model_transaction_policy { decoupled: t } response_cache { enable: 0 }',
    'boolean True': 'model_transaction_policy { decoupled: True }',
    'boolean TRUE': 'model_transaction_policy { decoupled: TRUE }',
    'boolean 2': 'model_transaction_policy { decoupled: 2 }',
    'boolean quoted': 'model_transaction_policy { decoupled: "true" }',
    floats:
      'model_metrics { metric_control { metric_identifier { family: "f" } histogram_options { buckets: [ 1, 1.5, 1e3, .5, 2., 1f, 1.5F, -2, inf, -inf, nan, 0x10, Infinity ] } } }',
    'float of letters': 'sequence_batching { direct { minimum_slot_utilization: half } }',
    'float of two points':
      'model_metrics { metric_control { histogram_options { buckets: 1.2.3 } } }',
    'float octal': 'model_metrics { metric_control { histogram_options { buckets: 010 } } }',
    'field unknown': 'max_batchsize: 1',
    'field unknown inside': 'instance_group {\n  count: 1\n  kinds: 2\n}',
    'field twice': 'max_batch_size: 1\nmax_batch_size: 2',
    'message twice': 'optimization { } optimization { }',
    'oneof twice': 'dynamic_batching { }\nsequence_batching { }',
    'oneof inside twice': 'version_policy { latest { } all { } }',
    'oneof same field twice': 'dynamic_batching { } dynamic_batching { }',
    'field by number': '4: 1',
    'field in another case': 'Max_Batch_Size: 1',
    'field in camel case': 'maxBatchSize: 1',
    extension: '[a.b]: 1',
    'value missing': 'max_batch_size:',
    'message not closed': 'instance_group {',
    'message closed twice': 'instance_group { } }',
    'message where a scalar belongs': 'max_batch_size { }',
    'scalar where a message belongs': 'instance_group: 1',
    'character that is none': 'max_batch_size: $',
    'character above ASCII': 'max_batch_size: é',
    'character that controls': 'max_batch_size: \u0001',
    'no-break space': 'max_batch_size:\u00a01',
    'comment of C': '// x\nmax_batch_size: 1',
    'tabs count to the next stop': '\tmax_batch_size: x',
    'column behind text above ASCII': 'metric_tags { key: "é" value: 1 }',
    'error in a list of messages': 'parameters [ { key: "a" }, 1 ]',
  },
  (text) => `${HEAD}${text}`,
)

const WHOLE = [
  { name: 'empty', text: '' },
  { name: 'byte order mark', text: `\ufeff${HEAD}` },
  {
    name: 'no spaces',
    text: HEAD.replaceAll(/\s+/g, ' ').replaceAll(': ', ':').replaceAll(' {', '{'),
  },
  { name: 'JSON', text: '{"backend":"python"}' },
  { name: 'name of another', text: `name: "other"\n${HEAD}` },
  { name: 'no platform, no backend', text: IO },
  { name: 'platform only', text: `platform: "onnxruntime_onnx"\n${IO}` },
  { name: 'platform unknown', text: `platform: "nosuch"\n${IO}` },
  { name: 'platform and backend apart', text: `platform: "onnxruntime_onnx"\n${HEAD}` },
  { name: 'platform ensemble', text: `platform: "ensemble"\n${IO}` },
  { name: 'backend unknown', text: `backend: "nosuch"\n${IO}` },
]

/** Fields of one input. */
const INPUTS = named(
  {
    'input without dims': '',
    'input of zero': 'dims: [ 0 ]',
    'input of minus two': 'dims: [ -2 ]',
    'input variable': 'dims: [ -1 ]',
    'input of large dims': 'dims: [ 9007199254740993 ]',
    'input dims too large': 'dims: [ 9223372036854775808 ]',
    'input NHWC of two': 'format: FORMAT_NHWC dims: [ 2, 2 ]',
    'input NHWC of three': 'format: FORMAT_NHWC dims: [ 2, 2, 2 ]',
    'input reshaped': 'dims: [ 2, 2 ] reshape { shape: [ 4 ] }',
    'input reshaped wrongly': 'dims: [ 2, 2 ] reshape { shape: [ 5 ] }',
    'input reshaped, variable': 'dims: [ -1, 2 ] reshape { shape: [ 2, -1 ] }',
    'input reshaped, more variable': 'dims: [ -1, 2 ] reshape { shape: [ -1, -1 ] }',
    'input reshaped, less variable': 'dims: [ -1, 2 ] reshape { shape: [ 2 ] }',
    'input reshaped to none': 'dims: [ 1 ] reshape { }',
    'input shape tensor': 'dims: [ 2 ] is_shape_tensor: true',
    'input optional': 'dims: [ 2 ] optional: true',
    'input ragged': 'dims: [ 2 ] allow_ragged_batch: true',
    'input non linear': 'dims: [ 2 ] is_non_linear_format_io: true',
  },
  withInput,
)

const IOS = named(
  {
    'input without name': 'input { data_type: TYPE_FP32 dims: [ 2 ] }',
    'input without type': 'input { name: "J" dims: [ 2 ] }',
    'input of type invalid': 'input { name: "J" data_type: TYPE_INVALID dims: [ 2 ] }',
    'input twice': 'input { name: "I" data_type: TYPE_FP32 dims: [ 2 ] }',
    'output without name': 'output { data_type: TYPE_FP32 dims: [ 2 ] }',
    'output without type': 'output { name: "P" dims: [ 2 ] }',
    'output without dims': 'output { name: "P" data_type: TYPE_FP32 }',
    'output of zero': 'output { name: "P" data_type: TYPE_FP32 dims: [ 0 ] }',
    'output reshaped wrongly':
      'output { name: "P" data_type: TYPE_FP32 dims: [ 2 ] reshape { shape: [ 3 ] } }',
    'output shape tensor':
      'output { name: "P" data_type: TYPE_FP32 dims: [ 2 ] is_shape_tensor: true }',
    'output twice': 'output { name: "O" data_type: TYPE_FP32 dims: [ 2 ] }',
    'batch input':
      'batch_input { kind: BATCH_ELEMENT_COUNT target_name: "B" data_type: TYPE_FP32 source_input: "I" }',
    'batch input without target':
      'batch_input { kind: BATCH_ELEMENT_COUNT data_type: TYPE_FP32 source_input: "I" }',
    'batch input of two sources':
      'batch_input { kind: BATCH_ELEMENT_COUNT target_name: "B" data_type: TYPE_FP32 source_input: [ "I", "I" ] }',
    'batch input of an unknown source':
      'batch_input { kind: BATCH_ELEMENT_COUNT target_name: "B" data_type: TYPE_FP32 source_input: "Z" }',
    'batch input of another type':
      'batch_input { kind: BATCH_ELEMENT_COUNT target_name: "B" data_type: TYPE_INT64 source_input: "I" }',
    'batch output':
      'batch_output { target_name: "O" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "I" }',
    'batch output of an unknown target':
      'batch_output { target_name: "Z" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "I" }',
    'batch output of an unknown source':
      'batch_output { target_name: "O" kind: BATCH_SCATTER_WITH_INPUT_SHAPE source_input: "Z" }',
  },
  (text) => `${HEAD}${text}`,
)

const BATCHING = 'max_batch_size: 8 dynamic_batching'
const SEQUENCE = 'max_batch_size: 2 sequence_batching'
const CONTROL = (control: string): string =>
  `${SEQUENCE} { control_input { name: "C" control { ${control} } } }`

const FIELDS = named(
  {
    'max_batch_size negative': 'max_batch_size: -1',
    'version policy latest': 'version_policy { latest { num_versions: 2 } }',
    'version policy all': 'version_policy { all { } }',
    'version policy specific': 'version_policy { specific { versions: [ 1 ] } }',
    'version policy specific, none': 'version_policy { specific { } }',
    'version policy latest zero': 'version_policy { latest { num_versions: 0 } }',
    'dynamic batching': `${BATCHING} { }`,
    'dynamic batching without batches': 'dynamic_batching { }',
    'preferred sizes': `${BATCHING} { preferred_batch_size: [ 2, 4 ] }`,
    'preferred size zero': `${BATCHING} { preferred_batch_size: [ 0 ] }`,
    'preferred size negative': `${BATCHING} { preferred_batch_size: [ -1 ] }`,
    'preferred size too large': `${BATCHING} { preferred_batch_size: [ 9 ] }`,
    'preferred size without batches': 'dynamic_batching { preferred_batch_size: [ 1 ] }',
    'priority levels': `${BATCHING} { priority_levels: 2 default_priority_level: 1 }`,
    'priority levels without default': `${BATCHING} { priority_levels: 2 }`,
    'priority default too high': `${BATCHING} { priority_levels: 2 default_priority_level: 3 }`,
    'priority default without levels': `${BATCHING} { default_priority_level: 3 }`,
    'priority policy out of range': `${BATCHING} { priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 3 value { } } }`,
    'priority policy without levels': `${BATCHING} { priority_queue_policy { key: 1 value { } } }`,
    'ordering with priorities': `${BATCHING} { preserve_ordering: true priority_levels: 2 default_priority_level: 1 }`,
    'ordering with delay': `${BATCHING} { preserve_ordering: true default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 1 } }`,
    'ordering with delay in a level': `${BATCHING} { preserve_ordering: true priority_levels: 1 default_priority_level: 1 priority_queue_policy { key: 1 value { timeout_action: DELAY } } }`,
    'queue policy': `${BATCHING} { default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5 allow_timeout_override: true max_queue_size: 6 } }`,
    'sequence batching': `${SEQUENCE} { }`,
    'sequence direct': `${SEQUENCE} { direct { max_queue_delay_microseconds: 3 minimum_slot_utilization: 0.5 } }`,
    'sequence direct over one': `${SEQUENCE} { direct { minimum_slot_utilization: 1.5 } }`,
    'sequence direct negative': `${SEQUENCE} { direct { minimum_slot_utilization: -0.5 } }`,
    'sequence oldest': `${SEQUENCE} { oldest { max_candidate_sequences: 4 } }`,
    'sequence oldest without candidates': `${SEQUENCE} { oldest { } }`,
    'sequence oldest preferred too large': `${SEQUENCE} { oldest { max_candidate_sequences: 4 preferred_batch_size: [ 3 ] } }`,
    'sequence oldest preferred zero': `${SEQUENCE} { oldest { max_candidate_sequences: 4 preferred_batch_size: [ 0 ] } }`,
    'sequence control': CONTROL('kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ]'),
    'sequence control bool': CONTROL(
      'kind: CONTROL_SEQUENCE_START bool_false_true: [ false, true ]',
    ),
    'sequence control of two kinds of values': CONTROL(
      'kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] fp32_false_true: [ 0, 1 ]',
    ),
    'sequence control of one value': CONTROL(
      'kind: CONTROL_SEQUENCE_START int32_false_true: [ 0 ]',
    ),
    'sequence control without values': CONTROL('kind: CONTROL_SEQUENCE_START'),
    'sequence control with type': CONTROL(
      'kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] data_type: TYPE_INT32',
    ),
    'sequence corrid': CONTROL('kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64'),
    'sequence corrid without type': CONTROL('kind: CONTROL_SEQUENCE_CORRID'),
    'sequence corrid of another type': CONTROL(
      'kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32',
    ),
    'sequence corrid with values': CONTROL(
      'kind: CONTROL_SEQUENCE_CORRID int32_false_true: [ 0, 1 ] data_type: TYPE_UINT64',
    ),
    'sequence control without name': `${SEQUENCE} { control_input { control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } } }`,
    'sequence control twice': `${SEQUENCE} { control_input { name: "A" control { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } } control_input { name: "B" control { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } } }`,
    'sequence state': `${SEQUENCE} { state { input_name: "SI" output_name: "SO" data_type: TYPE_FP32 dims: [ 2 ] initial_state { data_type: TYPE_FP32 dims: [ 2 ] zero_data: true name: "z" } } }`,
    'sequence state without dims': `${SEQUENCE} { state { input_name: "SI" output_name: "SO" data_type: TYPE_FP32 } }`,
    'sequence state without type': `${SEQUENCE} { state { input_name: "SI" output_name: "SO" dims: [ 2 ] } }`,
    instances: 'instance_group { count: 2 kind: KIND_CPU }',
    'instances of model kind': 'instance_group { kind: KIND_MODEL }',
    'instances without kind': 'instance_group { count: 1 }',
    'instances named': 'instance_group { name: "g" kind: KIND_CPU }',
    'instances two groups':
      'instance_group { kind: KIND_CPU } instance_group { kind: KIND_CPU passive: true }',
    'instances negative': 'instance_group { count: -1 kind: KIND_CPU }',
    'instances on GPU': 'instance_group { kind: KIND_GPU }',
    'instances on a GPU': 'instance_group { kind: KIND_GPU gpus: [ 0 ] }',
    'instances on CPU with GPUs': 'instance_group { kind: KIND_CPU gpus: [ 0 ] }',
    'instances of model kind with GPUs': 'instance_group { kind: KIND_MODEL gpus: [ 0 ] }',
    'instances auto with GPUs': 'instance_group { gpus: [ 0 ] }',
    'instances with everything':
      'instance_group { kind: KIND_CPU profile: "p" rate_limiter { resources { name: "r" global: true count: 2 } priority: 3 } host_policy: "h" }',
    optimization:
      'optimization { graph { level: 1 } priority: PRIORITY_MAX input_pinned_memory { enable: false } cuda { graphs: true graph_spec { batch_size: 1 input { key: "I" value { dim: 2 } } } } execution_accelerators { cpu_execution_accelerator { name: "openvino" parameters { key: "a" value: "b" } } } }',
    'warm-up':
      'model_warmup { name: "w" batch_size: 0 inputs { key: "I" value { data_type: TYPE_FP32 dims: [ 2 ] zero_data: true } } count: 2 }',
    'warm-up of two data':
      'model_warmup { name: "w" inputs { key: "I" value { zero_data: true random_data: true } } }',
    cache: 'response_cache { enable: true }',
    'cache with sequence': `response_cache { enable: true } ${SEQUENCE} { }`,
    'cache with decoupled':
      'response_cache { enable: true } model_transaction_policy { decoupled: true }',
    'ensemble with another platform':
      'ensemble_scheduling { step { model_name: "x" model_version: -1 } }',
    agents: 'model_repository_agents { agents { name: "nosuch" } }',
    operations: 'model_operations { op_library_filename: "x.so" }',
    'everything small':
      'cc_model_filenames { key: "1" value: "x" } metric_tags { key: "a" value: "b" } parameters { key: "p" value { string_value: "v" } } model_transaction_policy { decoupled: false }',
    metrics:
      'model_metrics { metric_control { metric_identifier { family: "f" } histogram_options { buckets: [ 1, 2.5 ] } } }',
  },
  (text) => `${HEAD}${text}`,
)

const STEP = (step: string): string =>
  `step { ${step} input_map { key: "INPUT0" value: "I" } output_map { key: "OUTPUT0" value: "O" } }`
const ENSEMBLES = named(
  {
    ensemble: STEP('model_name: "plain" model_version: -1'),
    'ensemble without steps': '',
    'ensemble step without model': STEP('model_version: -1'),
    'ensemble step without maps': 'step { model_name: "plain" model_version: -1 }',
    'ensemble step without input map':
      'step { model_name: "plain" output_map { key: "OUTPUT0" value: "O" } }',
    'ensemble step without output map':
      'step { model_name: "plain" input_map { key: "INPUT0" value: "I" } }',
    'ensemble step of an empty value':
      'step { model_name: "plain" input_map { key: "INPUT0" value: "" } output_map { key: "OUTPUT0" value: "O" } }',
    'ensemble of an unknown model': STEP('model_name: "nosuch" model_version: -1'),
    'ensemble that makes no output':
      'step { model_name: "plain" model_version: -1 input_map { key: "INPUT0" value: "I" } output_map { key: "OUTPUT0" value: "X" } }',
    'ensemble of a tensor nobody makes':
      'step { model_name: "plain" model_version: -1 input_map { key: "INPUT0" value: "Z" } output_map { key: "OUTPUT0" value: "O" } }',
    'ensemble of a tensor made twice': `${STEP('model_name: "plain" model_version: -1')} ${STEP('model_name: "plain" model_version: -1')}`,
    'ensemble of an unknown input':
      'step { model_name: "plain" model_version: -1 input_map { key: "NOPE" value: "I" } output_map { key: "OUTPUT0" value: "O" } }',
    'ensemble of an unknown output':
      'step { model_name: "plain" model_version: -1 input_map { key: "INPUT0" value: "I" } output_map { key: "NOPE" value: "O" } }',
    'ensemble of an unknown version': STEP('model_name: "plain" model_version: 9'),
  },
  (text) => `platform: "ensemble"\n${IO}ensemble_scheduling { ${text} }`,
)

const ENSEMBLE_EXTRAS = named(
  {
    'ensemble with instances': 'instance_group { kind: KIND_CPU }',
    'ensemble with optimization': 'optimization { priority: PRIORITY_MAX }',
    'ensemble with warm-up': 'model_warmup { name: "w" batch_size: 1 }',
    'ensemble with another type': 'max_batch_size: 4',
  },
  (text) =>
    `platform: "ensemble"\n${IO}ensemble_scheduling { ${STEP('model_name: "plain" model_version: -1')} } ${text}`,
)

export const CONFIGS: readonly ConfigAsk[] = [
  ...GRAMMAR,
  ...WHOLE,
  ...INPUTS,
  ...IOS,
  ...FIELDS,
  ...ENSEMBLES,
  ...ENSEMBLE_EXTRAS,
]
