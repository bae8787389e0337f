import type { InstanceWorld } from './instance-world.ts'
import type { Journal } from './journal.ts'
import { findMarkedProcesses, signalProcess } from './process-table.ts'
import type { MarkedProcess } from './process-table.ts'

const LOOKS_MAX = 80

/** Kills processes that belong to no instance any more, and waits until they are gone. */
export async function killOrphans(
  orphans: readonly MarkedProcess[],
  world: InstanceWorld,
  journal: Journal,
  signal: AbortSignal,
): Promise<void> {
  for (const { pid, instanceId } of orphans) {
    signalProcess(pid, 'SIGKILL')
    world.log.warn({ pid, instanceId }, 'orphan killed')
    const spec = world.records.findInstance(instanceId)?.spec
    // Without a record nobody knows whose it was; the log line must do.
    if (spec === undefined) continue
    journal.recordOrphan(spec, instanceId, pid)
  }
  const pids = new Set(orphans.map(({ pid }) => pid))
  for (let look = 0; pids.size > 0 && look < LOOKS_MAX; look += 1) {
    const marked = await findMarkedProcesses(world.installationId)
    if (!marked.some(({ pid }) => pids.has(pid))) return
    await world.clock.sleep(world.limits.stopPollMs, signal)
  }
  if (pids.size > 0) world.log.error({ pids: [...pids] }, 'orphans survived SIGKILL')
}
