import { DEFAULT_COMPILATION_OPTIONS, QUANTIZATIONS } from '../../../domain/compilation-options.ts'
import type { CompilationOptions, InputShapes } from '../../../domain/compilation-options.ts'

/** The options as whoever started the program wrote them; control has validated what its caller gave. */
export function parseOptions(text: string): CompilationOptions {
  const given: Readonly<Record<string, unknown>> = parseRecord(text)
  const { quantization, isPerChannel, tolerance, samples } = given
  return {
    quantization:
      QUANTIZATIONS.find((known) => known === quantization) ??
      DEFAULT_COMPILATION_OPTIONS.quantization,
    isPerChannel: isPerChannel !== false,
    tolerance: typeof tolerance === 'number' ? tolerance : DEFAULT_COMPILATION_OPTIONS.tolerance,
    samples: typeof samples === 'string' ? samples : undefined,
  }
}

/** Shapes by input name. */
export function parseShapes(text: string): InputShapes {
  const shapes: Record<string, readonly number[]> = {}
  for (const [name, dims] of Object.entries(parseRecord(text))) {
    if (Array.isArray(dims)) shapes[name] = dims.map(Number)
  }
  return shapes
}

function parseRecord(text: string): Readonly<Record<string, unknown>> {
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null) throw new Error(`${text} is not an object.`)
  return { ...parsed }
}
