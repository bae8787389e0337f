import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Instance } from './instance.ts'
import type { LogFiles } from './log-files.ts'
import type { ProcessLimits } from './settings.ts'

/** What upkeep works with. */
export interface UpkeepWorld {
  readonly logs: LogFiles
  readonly limits: ProcessLimits
  readonly clock: Clock
  readonly log: Log
}

/** Notices the ends of processes that are not our children, and tidies logs now and then, until the signal aborts. */
export async function runUpkeep(
  listInstances: () => readonly Instance[],
  { logs, limits, clock, log }: UpkeepWorld,
  signal: AbortSignal,
): Promise<void> {
  let tidyAtMs = 0
  while (!signal.aborted) {
    for (const instance of listInstances()) instance.lookForExit()
    if (clock.nowMs() >= tidyAtMs) {
      tidyAtMs = clock.nowMs() + limits.logUpkeepIntervalMs
      const liveIds = new Set(listInstances().map(({ record }) => record.instanceId))
      await logs
        .tidy((instanceId) => liveIds.has(instanceId), clock.nowMs())
        .catch((error: unknown) => log.warn({ err: error }, 'log upkeep failed'))
    }
    await clock.sleep(limits.adoptedPollMs, signal).catch(() => undefined)
  }
}
