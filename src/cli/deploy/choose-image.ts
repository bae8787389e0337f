import { CliFailure } from '../failure.ts'
import { ONNX_MODEL_NAME } from './artifact.ts'

/** Images that are built into this version, and what each needs. */
export const BUILT_IN_IMAGES = {
  'berth/onnx': `an ONNX model: ${ONNX_MODEL_NAME} at the top, or the only .onnx file`,
  'berth/echo': 'no model: it answers what it is sent, for contract tests',
} as const

const NAMES_SHOWN_MAX = 8

/**
 * The image that serves files of these names.
 *
 * @throws CliFailure `usage`: none does; says what was found and what each image needs.
 */
export function chooseImage(names: readonly string[]): keyof typeof BUILT_IN_IMAGES {
  const onnxCount = names.filter((name) => name.toLowerCase().endsWith('.onnx')).length
  if (names.includes(ONNX_MODEL_NAME) || onnxCount === 1) return 'berth/onnx'
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ')
  const more = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : ''
  const images = Object.entries(BUILT_IN_IMAGES).map(([image, needs]) => `  ${image}  ${needs}`)
  throw new CliFailure('usage', `No built-in image serves these files: ${shown}${more}.`, {
    cure: `Built-in images:\n${images.join('\n')}\nName one with --image.`,
  })
}
