/** Where signals arrive: the process, or a stand-in. */
export interface SignalSource {
  on(name: StopSignalName, listener: (name: StopSignalName) => void): unknown
  off(name: StopSignalName, listener: (name: StopSignalName) => void): unknown
}

/** What asks the program to end in order. */
export type StopSignalName = (typeof STOP_SIGNALS)[number]

/** What {@link listenForStop} needs from the world. */
export interface StopDeps {
  readonly source: SignalSource
  readonly nowMs: () => number
  /** A later signal: whoever sent it does not want to wait. Called once, when nothing listens any more. */
  readonly onImpatient: (name: StopSignalName) => void
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const

// A terminal, or `timeout`, signals the whole group, and a launcher in it passes the same signal on once more.
const SAME_REQUEST_MS = 1_000

/**
 * Listens from now on; the promise resolves at the first SIGINT or SIGTERM. Signals that follow within a second are
 * copies of the first.
 */
export function listenForStop({ source, nowMs, onImpatient }: StopDeps): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let firstAtMs: number | undefined
  const onSignal = (name: StopSignalName): void => {
    firstAtMs ??= nowMs()
    resolve()
    if (nowMs() - firstAtMs < SAME_REQUEST_MS) return
    for (const each of STOP_SIGNALS) source.off(each, onSignal)
    onImpatient(name)
  }
  for (const name of STOP_SIGNALS) source.on(name, onSignal)
  return promise
}
