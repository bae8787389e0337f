/** A node that gives no answer, in words for the caller of the graph. */
export class NodeFailure extends Error {
  /** What the caller gets when nothing helps: 4xx when the input is at fault, 502, 503 or 504 when a target is. */
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}
