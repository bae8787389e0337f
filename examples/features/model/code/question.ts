import { StatusError } from 'berth/model'

const KEY = /^patient-\d{3}$/
const KEYS_MAX = 100

/** The keys that a body asks for. @throws StatusError 400 or 415: what is wrong with it, for the caller. */
export function parseQuestion(
  body: string | Uint8Array,
  contentType: string | undefined,
): readonly string[] {
  if (typeof body !== 'string' || contentType?.startsWith('application/json') !== true) {
    throw new StatusError(
      415,
      `Send application/json, not ${contentType ?? 'a body without a type'}.`,
    )
  }
  const question = parseJson(body)
  const keys: unknown =
    typeof question === 'object' && question !== null && 'patients' in question
      ? question.patients
      : undefined
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > KEYS_MAX) {
    throw new StatusError(400, `Send {"patients": [key, …]} with 1 to ${KEYS_MAX} keys.`)
  }
  return keys.map((key: unknown) => {
    if (typeof key === 'string' && KEY.test(key)) return key
    throw new StatusError(400, `${JSON.stringify(key)} is no key; keys are like patient-007.`)
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new StatusError(400, `The body is not JSON: ${String(error)}`)
  }
}
