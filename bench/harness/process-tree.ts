import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of /proc/…/stat; the same on every Linux that runs Node. */
const TICK_MS = 10
const POLL_MS = 100

/** One process as /proc tells it. */
interface ProcessLine {
  readonly pid: number
  readonly state: string
  readonly parentPid: number
  readonly sessionId: number
  readonly cpuMs: number
  /** Tells a process from a later one with the same id. */
  readonly startedAtTicks: number
}

/**
 * A process and whatever it started, also what left its parent meanwhile (Linux).
 *
 * Once seen, a process belongs to the tree; those are the only ones that {@link stop} ever signals.
 */
export class ProcessTree {
  readonly #leaderPid: number
  /** Start time of every member ever seen, by id. */
  readonly #members = new Map<number, number>()

  constructor(leaderPid: number) {
    this.#leaderPid = leaderPid
    this.readLines()
  }

  /** Members that are alive now. */
  readLines(): readonly ProcessLine[] {
    const lines = readProcesses()
    let sizeBefore: number
    do {
      sizeBefore = this.#members.size
      for (const line of lines)
        if (this.#belongs(line)) this.#members.set(line.pid, line.startedAtTicks)
    } while (this.#members.size > sizeBefore)
    return lines.filter((line) => this.#isMember(line) && line.state !== 'Z')
  }

  readCpuMs(): number {
    return this.readLines().reduce((total, { cpuMs }) => total + cpuMs, 0)
  }

  /** Asks the leader to stop, and after the deadline kills whatever is left of the tree. */
  async stop(deadlineMs: number): Promise<void> {
    this.readLines()
    signal(this.#leaderPid, 'SIGTERM')
    const untilMs = performance.now() + deadlineMs
    while (performance.now() < untilMs && this.readLines().length > 0) await sleep(POLL_MS)
    for (const { pid } of this.readLines()) signal(pid, 'SIGKILL')
    while (this.readLines().length > 0) await sleep(POLL_MS)
  }

  #belongs(line: ProcessLine): boolean {
    if (this.#isMember(line)) return false
    return (
      line.pid === this.#leaderPid ||
      line.sessionId === this.#leaderPid ||
      this.#members.has(line.parentPid)
    )
  }

  #isMember({ pid, startedAtTicks }: ProcessLine): boolean {
    return this.#members.get(pid) === startedAtTicks
  }
}

/** Processor time this machine spent on anything, and on our own finished children, since it started. */
export function readMachineCpuMs(): { readonly busyMs: number; readonly childrenMs: number } {
  const [, user, nice, system, , , irq, softIrq] =
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/).map(Number) ?? []
  const own = readFileSync('/proc/self/stat', 'utf8')
  const fields = own
    .slice(own.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const ticks = [user, nice, system, irq, softIrq].reduce((total: number, n) => total + (n ?? 0), 0)
  return {
    busyMs: ticks * TICK_MS,
    childrenMs: ((fields[13] ?? 0) + (fields[14] ?? 0)) * TICK_MS,
  }
}

function readProcesses(): ProcessLine[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? [])
}

function readProcess(pid: number): ProcessLine | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything, also blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const number = (at: number) => Number(fields[at])
    return {
      pid,
      state: fields[0] ?? '',
      parentPid: number(1),
      sessionId: number(3),
      cpuMs: (number(11) + number(12)) * TICK_MS,
      startedAtTicks: number(19),
    }
  } catch {
    // It ended between the listing and now.
    return undefined
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It ended by itself.
  }
}
