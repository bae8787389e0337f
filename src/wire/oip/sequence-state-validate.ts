import { OipError } from './errors.ts'
import type { SequenceStateConfig } from './model-config.ts'

type InitialStateConfig = SequenceStateConfig['initial_state'][number]

/** @throws OipError `INVALID_ARG` in Triton's words: the states of a model's sequences are not well said. */
export function validateSequenceStates(states: readonly SequenceStateConfig[]): void {
  const names = new Set<string>()
  for (const state of states) {
    const { input_name: name, initial_state: initial } = state
    if (names.has(name)) throw refusal(`State input name '${name}' specified more than once.`)
    names.add(name)
    if (initial.length > 1) {
      throw refusal(
        `initial_state field for state input '${name}' must contain exactly one or zero element. Found ${initial.length} elements.`,
      )
    }
    for (const one of initial) validateInitialState(state, one)
  }
}

function validateInitialState(state: SequenceStateConfig, initial: InitialStateConfig): void {
  const { input_name: name, dims } = state
  if (initial.data_type !== state.data_type) {
    throw refusal(
      `The data type used for 'initial_state' field of state '${name}' does not match the state data type.`,
    )
  }
  if (initial.name === '') {
    throw refusal(`Field 'name' must be set when using initial_state for state input '${name}'.`)
  }
  if (initial.dims.length !== dims.length) {
    throw refusal(
      `Number of dimensions in 'initial_state' doesn't match the size of 'state' dimensions for state input '${name}'. ` +
        `${initial.dims.length} != ${dims.length}`,
    )
  }
  for (const [axis, text] of initial.dims.entries()) {
    const dim = Number(text)
    if (dim === -1) {
      throw refusal(
        `'initial_state' field for state input name '${name}' contains variable dimensions.`,
      )
    }
    if (dims[axis] !== -1 && dims[axis] !== dim) {
      throw refusal(
        `'initial_state' dim for input name '${name}' doesn't match 'state' dim description. ${dim} != ${dims[axis]}`,
      )
    }
  }
  if (initial.data_file === undefined && initial.zero_data !== true) {
    throw refusal(`initial_state setting expects state'${name}' to have state_data set`)
  }
}

function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
