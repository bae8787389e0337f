import { isDefinedModel } from '../author/model.ts'
import { functionsOfModel, isFunction } from './defined-model.ts'
import type { UserFunctions } from './defined-model.ts'
import { functionsOfTensorModel } from './tensor-handler.ts'
import type { UserExports } from './user-module.ts'

const CONTRACT = ['modelFn', 'inputFn', 'predictFn', 'outputFn', 'transformFn'] as const
/**
 * The functions that a module of user code gives, or that its `defineModel` stands for.
 *
 * @throws Error it exports nothing of the contract, or functions that exclude each other.
 */
export function chooseFunctions(exports: UserExports): UserFunctions {
  const whole = exports['default']
  if (isDefinedModel(whole)) {
    return 'signature' in whole && whole.signature !== undefined
      ? functionsOfTensorModel(whole)
      : functionsOfModel(whole)
  }
  const given = Object.fromEntries(
    CONTRACT.flatMap((name) => (exports[name] === undefined ? [] : [[name, exports[name]]])),
  )
  const wrong = CONTRACT.find((name) => given[name] !== undefined && !isFunction(given[name]))
  if (wrong !== undefined)
    throw new TypeError(`The export ${wrong} is ${typeof given[wrong]}, not a function.`)
  const { modelFn, inputFn, predictFn, outputFn, transformFn } = given
  if (transformFn !== undefined && (inputFn ?? predictFn ?? outputFn) !== undefined) {
    throw new Error(
      'Cannot use transformFn in conjunction with inputFn, predictFn, and/or outputFn',
    )
  }
  if ((modelFn ?? predictFn ?? transformFn) === undefined) {
    const names = Object.keys(exports).join(', ') || 'nothing'
    throw new Error(
      `It exports ${names}; expected a default export from defineModel, or some of ${CONTRACT.join(', ')}.`,
    )
  }
  return {
    modelFn: functionOr(modelFn, () => undefined),
    inputFn: functionOr(inputFn, undefined),
    predictFn: functionOr(predictFn, undefined),
    outputFn: functionOr(outputFn, undefined),
    transformFn: functionOr(transformFn, undefined),
  }
}

function functionOr<F>(given: unknown, fallback: F): F | UserFunctions['modelFn'] {
  return isFunction(given) ? given : fallback
}
