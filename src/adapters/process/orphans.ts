import { findProcess, isRunning } from '../../platform/process-identity.ts'
import type { InstanceWorld } from './instance-world.ts'
import type { Journal } from './journal.ts'
import { signalProcess } from './process-table.ts'
import type { MarkedProcess } from './process-table.ts'

const LOOKS_MAX = 80

/** Kills processes that belong to no instance any more, and waits until they are gone. */
export async function killOrphans(
  orphans: readonly MarkedProcess[],
  world: InstanceWorld,
  journal: Journal,
  signal: AbortSignal,
): Promise<void> {
  // By identity, not by their marks: an ending process loses its environment before its files and sockets.
  let running = orphans.flatMap(({ pid }) => findProcess(pid) ?? [])
  for (const { pid, instanceId } of orphans) {
    signalProcess(pid, 'SIGKILL')
    world.log.warn({ pid, instanceId }, 'orphan killed')
    const spec = world.records.findInstance(instanceId)?.spec
    // Without a record nobody knows whose it was; the log line must do.
    if (spec === undefined) continue
    journal.recordOrphan(spec, instanceId, pid)
  }
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    running = running.filter(isRunning)
    if (running.length === 0) return
    await world.clock.sleep(world.limits.stopPollMs, signal)
  }
  world.log.error({ pids: running.map(({ pid }) => pid) }, 'orphans survived SIGKILL')
}
