/** Time as the rooms see it; tests and the simulator use a manual one. */
export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>
}
