import type { InstanceWorld } from './instance-world.ts'
import type { Journal } from './journal.ts'
import type { MarkedProcess } from './process-table.ts'
import { Remnants } from './remnants.ts'

// Of them the next start would wait for: with the usual poll some ten seconds of a machine that has other things to do.
const LOOKS_MAX = 400

/** Kills processes that belong to no instance any more, and waits until they are gone. */
export async function killOrphans(
  orphans: readonly MarkedProcess[],
  world: InstanceWorld,
  journal: Journal,
  signal: AbortSignal,
): Promise<void> {
  const remnants = new Remnants()
  remnants.kill(orphans)
  for (const { pid, instanceId } of orphans) {
    world.log.warn({ pid, instanceId }, 'orphan killed')
    const spec = world.records.findInstance(instanceId)?.spec
    // Without a record nobody knows whose it was; the log line must do.
    if (spec === undefined) continue
    journal.recordOrphan(spec, instanceId, pid)
  }
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    if (remnants.kill([])) return
    await world.clock.sleep(world.limits.stopPollMs, signal)
  }
  world.log.error({ pids: remnants.pids }, 'orphans survived SIGKILL')
}
