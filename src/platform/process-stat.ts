import { readFileSync } from 'node:fs'

/** What Linux tells of a process in `/proc/PID/stat`. */
export interface ProcessStat {
  readonly processGroup: number
  /** When it began, in clock ticks since boot. */
  readonly startToken: string
  /** Nothing of it runs any more and its files and sockets are closed, though its parent may not have collected it. */
  readonly hasEnded: boolean
}

/** Reads the state of a process, or `undefined` when there is none with this pid. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  return parseProcessStat(stat)
}

/**
 * Fields 3, 5, 20 and 22, counted after the command name, which may hold spaces and parentheses. Source: proc(5).
 *
 * The state is that of the first thread, which may be a zombie while other threads of a killed process still hold its
 * files and sockets: a process has ended when its last thread has.
 */
export function parseProcessStat(stat: string): ProcessStat {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state = '', , processGroup] = fields
  const isZombie = state === 'Z' && Number(fields[17]) <= 1
  return {
    processGroup: Number(processGroup),
    startToken: fields[19] ?? '',
    hasEnded: isZombie || state === 'X',
  }
}
