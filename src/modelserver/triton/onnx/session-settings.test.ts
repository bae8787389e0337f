import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toSessionChoices } from './session-settings.ts'

const settings = (parameters: Readonly<Record<string, string>>, optimization?: object) => {
  const named = Object.entries(parameters).map(([key, text]) => [key, { string_value: text }])
  return toSessionChoices({
    name: 'm',
    parameters: Object.fromEntries(named),
    ...(optimization !== undefined && { optimization: { ...optimization } }),
  })
}

test('settings of the runtime are followed, what is the model’s own is left alone', () => {
  const parameters = {
    intra_op_thread_count: '4',
    inter_op_thread_count: '0',
    execution_mode: '1',
    enable_mem_arena: '0',
    enable_mem_pattern: '1',
    'session.use_device_allocator_for_initializers': '1',
    colour: 'blue',
  }
  assert.deepEqual(settings(parameters, { graph: { level: 1 } }), {
    threads: { withinOperator: 4, betweenOperators: 0 },
    executionMode: 'parallel',
    usesMemoryArena: false,
    usesMemoryPattern: true,
    level: 'extended',
    entries: { use_device_allocator_for_initializers: '1' },
  })
  assert.deepEqual(settings({}), { threads: {}, entries: {} })
})

for (const [level, expected] of [
  [-1, 'basic'],
  [0, undefined],
  [1, 'extended'],
  [2, 'disabled'],
] as const) {
  test(`the graph level ${level} is ${expected ?? 'the default'}`, () => {
    assert.equal(settings({}, { graph: { level } }).level, expected)
  })
}

for (const { parameters = {}, optimization, words } of [
  {
    parameters: { intra_op_thread_count: 'many' },
    words: /intra_op_thread_count of model 'm' is 'many', expected an integer from 0 to 1024/,
  },
  {
    parameters: { execution_mode: '2' },
    words: /execution_mode of model 'm' is '2', expected 0 or 1/,
  },
  {
    optimization: { graph: { level: 7 } },
    words: /optimization.graph.level of model 'm' is '7', expected -1, 0, 1 or 2/,
  },
  {
    parameters: { gpu_mem_limit: '1' },
    words:
      /model 'm' asks for parameter 'gpu_mem_limit', which this server does not offer: there is no GPU/,
  },
  {
    optimization: { execution_accelerators: { cpu_execution_accelerator: [{ name: 'openvino' }] } },
    words: /asks for execution accelerator 'openvino', which this server does not offer/,
  },
]) {
  test(`is refused by name: ${JSON.stringify(optimization ?? parameters)}`, () => {
    assert.throws(() => settings(parameters, optimization), words)
  })
}
