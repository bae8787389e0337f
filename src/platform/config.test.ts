import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ConfigError, optionNames, parseConfig } from './config.ts'
import { OPTIONS } from './options.ts'

const nothing = { file: {}, environment: {}, flags: {} }

test('defaults stand where nothing is said', () => {
  const config = parseConfig(nothing)
  for (const name of optionNames()) assert.equal(config[name], OPTIONS[name].default)
})

test('flags beat the environment, which beats the file', () => {
  const file = { BERTH_PORT: '1', BERTH_GATEWAYS: '2', BERTH_REGION: 'eu-west-1' }
  const config = parseConfig({
    file,
    environment: { BERTH_PORT: '3', BERTH_GATEWAYS: '4', HOME: '/root' },
    flags: { BERTH_PORT: '5' },
  })
  assert.equal(config.BERTH_PORT, 5)
  assert.equal(config.BERTH_GATEWAYS, 4)
  assert.equal(config.BERTH_REGION, 'eu-west-1')
})

test('all problems are reported at once, each with name, value and expectation', () => {
  const bad = {
    BERTH_PORT: '70000',
    BERTH_ACCOUNT_ID: '12',
    BERTH_CAPACITY: 'maybe',
    BERTH_PROT: '1',
    BERTH_GATEWAYS: '1.5',
  }
  assert.throws(
    () => parseConfig({ ...nothing, environment: bad }),
    (error) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.problems.length, 5)
      for (const name of Object.keys(bad)) {
        assert.ok(
          error.problems.some((problem) => problem.includes(name)),
          name,
        )
      }
      assert.match(error.message, /BERTH_PORT is "70000"; expected a whole number from 0 to 65535/)
      return true
    },
  )
})

test('a stream may not be given less time than one invocation', () => {
  const environment = { BERTH_INVOCATION_TIMEOUT_MS: '5000', BERTH_STREAM_TIMEOUT_MS: '4000' }
  assert.throws(
    () => parseConfig({ ...nothing, environment }),
    /expected at least BERTH_INVOCATION/,
  )
})
