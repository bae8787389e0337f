import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CONTAINER_HOSTNAME_VARIABLE } from '../../domain/sibling-containers.ts'
import { readProcessStat } from '../../platform/process-stat.ts'

/** A live process that carries the marker of one of our instances in its environment. */
export interface MarkedProcess {
  readonly pid: number
  readonly instanceId: string
  /** Of its container, where the instance has several. */
  readonly hostname: string | undefined
}

/** Environment variables by which processes of an installation are known again after control has died. */
export const INSTALLATION_MARKER = 'BERTH_INSTALLATION'
export const INSTANCE_MARKER = 'BERTH_INSTANCE_ID'

// These files are made in memory when they are read, in some 10 µs: going through the thread pool would cost four hops for
// each and keep the files of a starting instance waiting. In between others get their turn.
const LOOKS_PER_TURN = 32

/**
 * Every process that was started for an instance of this installation, its descendants included, wherever they put
 * themselves. Only Linux tells the environment of a process; elsewhere the list is empty.
 */
export async function findMarkedProcesses(
  installationId: string,
): Promise<readonly MarkedProcess[]> {
  if (process.platform !== 'linux') return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const marked: MarkedProcess[] = []
  for (let start = 0; start < pids.length; start += LOOKS_PER_TURN) {
    if (start > 0) await nextTurn()
    for (const pid of pids.slice(start, start + LOOKS_PER_TURN)) {
      const found = findMarked(pid, installationId)
      if (found !== undefined) marked.push(found)
    }
  }
  return marked
}

function findMarked(pid: number, installationId: string): MarkedProcess | undefined {
  let variables: readonly string[]
  try {
    variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
  } catch {
    // Gone meanwhile, or of another user: not ours.
    return undefined
  }
  if (!variables.includes(`${INSTALLATION_MARKER}=${installationId}`)) return undefined
  const find = (name: string): string | undefined =>
    variables.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1)
  const instanceId = find(INSTANCE_MARKER)
  if (instanceId === undefined) return undefined
  return { pid, instanceId, hostname: find(CONTAINER_HOSTNAME_VARIABLE) }
}

/** The process group of a live process. */
export function findProcessGroup(pid: number): number | undefined {
  try {
    if (process.platform === 'linux') return readProcessStat(pid)?.processGroup
    return Number(execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }))
  } catch {
    return undefined
  }
}

/**
 * Whether no process of the group runs. Zombies that their parent has not collected do not count: where pid 1 collects
 * nothing they stay for ever.
 */
export function isGroupEmpty(processGroup: number): boolean {
  try {
    process.kill(-processGroup, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  if (process.platform !== 'linux') return false
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return !pids.some((pid) => {
    const stat = readProcessStat(Number(pid))
    return stat?.processGroup === processGroup && !stat.hasEnded
  })
}

/** Signals every process of a group; one that is empty already is fine. */
export function signalGroup(processGroup: number, signal: NodeJS.Signals): void {
  signalTarget(-processGroup, signal)
}

/** Signals one process; one that is gone already is fine. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  signalTarget(pid, signal)
}

function signalTarget(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
