import type { BuiltInImage } from '../../domain/built-in-images.ts'
import { CliFailure } from '../failure.ts'
import { ONNX_MODEL_NAME } from './artifact.ts'

/** Images that are built into this version, and what each needs. */
export const IMAGE_NEEDS = {
  'berth/onnx': `an ONNX model: ${ONNX_MODEL_NAME} at the top, or the only .onnx file`,
  'berth/python':
    'code/inference.py, or a model file that it knows: model.joblib, model.pkl, xgboost-model, model.ubj, model.pt',
  'berth/node': 'code/inference.ts, .js or .mjs, or a code/package.json that names another file',
  'berth/triton':
    'a Triton model repository: NAME/1/model.onnx, or several and SAGEMAKER_TRITON_DEFAULT_MODEL_NAME',
  'berth/graph': 'graph.yaml: which models are asked, and how their answers become one',
  'berth/echo': 'no model: it answers what it is sent, for contract tests',
} as const satisfies Record<BuiltInImage, string>

const NAMES_SHOWN_MAX = 8

// What berth/python serves without code; `worker/berth_worker/models.py` loads them, and a few that other programs use too.
const PYTHON_MODEL =
  /^(model\.(joblib|pkl|ubj|xgb|pt|pth)|xgboost-model|lightgbm-model|[^/]+\.joblib)$/

// User code for berth/node. A package.json in code/ may name another file.
const NODE_CODE = /^((code\/)?inference\.[mc]?[jt]s|code\/package\.json)$/

// A Triton model repository: a folder for each model, with its configuration.
const REPOSITORY_CONFIG = /^[^/]+\/config\.pbtxt$/

/**
 * The image that serves files of these names. User code decides over a model file beside it.
 *
 * @throws CliFailure `usage`: none does; says what was found and what each image needs.
 */
export function chooseImage(names: readonly string[]): BuiltInImage {
  if (names.some((name) => REPOSITORY_CONFIG.test(name))) return 'berth/triton'
  if (names.includes('code/inference.py') || names.includes('inference.py')) return 'berth/python'
  if (names.some((name) => NODE_CODE.test(name))) return 'berth/node'
  if (names.includes('graph.yaml')) return 'berth/graph'
  const onnxCount = names.filter((name) => name.toLowerCase().endsWith('.onnx')).length
  if (names.includes(ONNX_MODEL_NAME) || onnxCount === 1) return 'berth/onnx'
  if (names.some((name) => PYTHON_MODEL.test(name))) return 'berth/python'
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ')
  const more = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : ''
  const images = Object.entries(IMAGE_NEEDS).map(([image, needs]) => `  ${image}  ${needs}`)
  throw new CliFailure('usage', `No built-in image serves these files: ${shown}${more}.`, {
    cure: `Built-in images:\n${images.join('\n')}\nName one with --image.`,
  })
}
