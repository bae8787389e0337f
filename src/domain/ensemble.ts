/** One model in an ensemble, and which of the ensemble's tensors are its own. */
export interface EnsembleStep {
  readonly modelName: string
  /** -1: the latest. */
  readonly modelVersion: number
  /** The ensemble's tensor for each input of the model. */
  readonly tensorByInput: Readonly<Record<string, string>>
  /** The ensemble's tensor for each output of the model. */
  readonly tensorByOutput: Readonly<Record<string, string>>
}
