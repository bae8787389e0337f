/** How weights are stored after a compilation. */
export const QUANTIZATIONS = ['none', 'int8-dynamic', 'fp16'] as const

/** One of {@link QUANTIZATIONS}. */
export type Quantization = (typeof QUANTIZATIONS)[number]

/** What a compilation is told to do with a model. */
export interface CompilationOptions {
  readonly quantization: Quantization
  /** Whether each column of an int8 matrix has a scale of its own, or the matrix one. */
  readonly isPerChannel: boolean
  /** Largest difference of an output that is accepted, as a share of the output's largest value. */
  readonly tolerance: number
  /** File of the model data with inputs to measure on; random ones when absent. */
  readonly samples: string | undefined
}

/**
 * Used when no tolerance is given: rounding in another order; a significand of 11 bits; steps of 1/64 or 1/127.
 * Quantised models differ by what they are made of: these are where one should look, not where a model is useless.
 */
export const TOLERANCE_BY_QUANTIZATION: Readonly<Record<Quantization, number>> = {
  none: 1e-4,
  fp16: 1e-2,
  'int8-dynamic': 1e-1,
}

/** What is compiled when nothing is asked for. */
export const DEFAULT_COMPILATION_OPTIONS: CompilationOptions = {
  quantization: 'none',
  isPerChannel: true,
  tolerance: TOLERANCE_BY_QUANTIZATION.none,
  samples: undefined,
}

/** Shapes of inputs by name; `-1` leaves a dimension open. */
export type InputShapes = Readonly<Record<string, readonly number[]>>
