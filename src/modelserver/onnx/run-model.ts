import { mismatch } from '../codecs/signature.ts'
import type { NamedTensor } from '../codecs/tensor.ts'
import { Rejection } from '../rejection.ts'
import { withoutSourcePath } from './load-failure.ts'
import type { Session } from './session.ts'

// Source: messages of ONNX Runtime 1.30 for inputs that do not have the declared shape or type.
const INPUT_FAULT =
  /Got invalid dimensions for input|Invalid rank for input|Unexpected input data type/

/** Runs the model. @throws Rejection the inputs do not fit, or the model failed. */
export async function runModel(
  session: Session,
  inputs: readonly NamedTensor[],
): Promise<readonly NamedTensor[]> {
  try {
    return await session.run(inputs)
  } catch (error) {
    const message = withoutSourcePath(error instanceof Error ? error.message : String(error))
    const sentence = message.replaceAll(/\s+/g, ' ')
    if (INPUT_FAULT.test(message))
      throw mismatch(`The request does not fit: ${sentence}`, session.signature)
    throw new Rejection(500, `The model failed: ${sentence}`)
  }
}
