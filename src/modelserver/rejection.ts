/**
 * An invocation that ends with a status of its own and a sentence for the caller.
 *
 * It is the container's answer, not the platform's: the platform passes it on inside a ModelError.
 */
export class Rejection extends Error {
  readonly status: number

  constructor(status: 400 | 404 | 405 | 406 | 409 | 413 | 415 | 500 | 503 | 507, message: string) {
    super(message)
    this.name = 'Rejection'
    this.status = status
  }
}
