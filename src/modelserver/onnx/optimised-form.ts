import { createTurn } from './turn.ts'
import type { TurnMemory } from './turn.ts'

/** The optimised form of a model, for all workers that load it. */
export interface OptimisedForm {
  readonly directory: string
  readonly turn: TurnMemory
}

/** Names the folder to the workers of one model; `undefined` stays so. */
export function optimisedForm(directory: string | undefined): OptimisedForm | undefined {
  return directory === undefined ? undefined : { directory, turn: createTurn() }
}
