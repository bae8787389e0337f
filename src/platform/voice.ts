/** What a started platform says about itself. */
export interface ReadyNote {
  readonly url: string
  readonly version: string
  readonly dataDir: string
  /** From the start of the process to the first request it could answer. */
  readonly startMs: number
}

/** The few things `berth up` says on standard output; its log is a file. */
export interface Voice {
  ready(note: ReadyNote): void
  stopping(): void
  stopped(): void
  /** One endpoint has another status. */
  status(endpointName: string, status: string, reason: string | undefined): void
  /** On standard error: why it cannot start. */
  problem(sentence: string): void
}

/** Sentences for people, or one JSON object per line for machines. */
export function createVoice(json: boolean): Voice {
  return json ? machineVoice : peopleVoice
}

const machineVoice: Voice = {
  ready: (note) => sayEvent('ready', { ...note }),
  stopping: () => sayEvent('stopping', {}),
  stopped: () => sayEvent('stopped', {}),
  status: (endpointName, status, reason) => sayEvent('status', { endpointName, status, reason }),
  problem: (sentence) => void process.stderr.write(`${sentence}\n`),
}

const peopleVoice: Voice = {
  ready: ({ url, version, dataDir, startMs }) =>
    say(
      `Berth ${version}`,
      `  url   ${url}`,
      `  data  ${dataDir}`,
      '  next  eval "$(berth env)" in another shell, then any AWS client; or: berth deploy PATH',
      `ready in ${(startMs / 1000).toFixed(2)} s (Ctrl-C drains and stops)`,
    ),
  stopping: () => say('draining; instances finish what they have (Ctrl-C again does not wait)'),
  stopped: () => say('stopped'),
  status: (endpointName, status, reason) =>
    say(`${endpointName}: ${status}${reason === undefined ? '' : ` (${reason})`}`),
  problem: (sentence) => void process.stderr.write(`${sentence}\n`),
}

function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`)
}

function sayEvent(event: string, fields: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`)
}
