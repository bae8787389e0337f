import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** One process of this machine: a pid alone may have been given to another program since. */
export interface ProcessIdentity {
  readonly pid: number
  /** Opaque; equal for the same process, different for a later one with the same pid. */
  readonly startToken: string
}

/** The identity of a live process, or `undefined` when no process (or only a zombie) has this pid. */
export function findProcess(pid: number): ProcessIdentity | undefined {
  const startToken = process.platform === 'linux' ? linuxStartToken(pid) : psStartToken(pid)
  return startToken === undefined ? undefined : { pid, startToken }
}

/** Whether the very process that was recorded still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  return findProcess(identity.pid)?.startToken === identity.startToken
}

/** Resident memory in bytes, or `undefined` when the process is gone or the system does not tell. */
export function findResidentBytes(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}

// Field 22 of /proc/PID/stat: start time in clock ticks since boot. The command name in field 2 may hold spaces
// and parentheses, so fields are counted after the last closing one. Source: proc(5).
function linuxStartToken(pid: number): string | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return fields[19]
}

function psStartToken(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return text.trim() || undefined
  } catch {
    return undefined
  }
}
