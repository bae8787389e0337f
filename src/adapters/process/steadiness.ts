import type { InstanceRecord } from './records.ts'
import type { ProcessLimits } from './settings.ts'

/** Whether the instance had been ready long enough that its end is no failed start. */
export function hasBeenSteady(
  { readyAtMs }: InstanceRecord,
  nowMs: number,
  limits: ProcessLimits,
): boolean {
  return readyAtMs !== undefined && nowMs - readyAtMs >= limits.steadyMs
}
