/**
 * Exit codes of a model server. Above 16, so that none collides with Node's own.
 *
 * The runtime that started the server quotes its last line on stderr; the code says which kind of cause it was.
 */
export const EXIT_CODES = {
  stopped: 0,
  bug: 1,
  badOptions: 20,
  modelMissing: 21,
  modelInvalid: 22,
  modelUnsupported: 23,
  labelsInvalid: 24,
  cannotListen: 25,
  environmentFailed: 26,
  pythonMissing: 27,
} as const

/** A key of {@link EXIT_CODES}. */
export type ExitReason = keyof typeof EXIT_CODES

/** Why the server cannot start: the message becomes the last line on stderr, written for people. */
export class StartFailure extends Error {
  readonly reason: ExitReason

  constructor(reason: ExitReason, message: string) {
    super(message.replaceAll(/\s+/g, ' ').trim())
    this.name = 'StartFailure'
    this.reason = reason
  }
}
