import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

import { readProcessStat } from './process-stat.ts'

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

function linuxStartToken(pid: number): string | undefined {
  const stat = readProcessStat(pid)
  return stat === undefined || stat.hasEnded ? undefined : stat.startToken
}

function psStartToken(pid: number): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
    return text.trim() || undefined
  } catch {
    return undefined
  }
}
