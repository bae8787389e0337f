import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { writeFileAtomically } from '../../platform/atomic-file.ts'
import type { ProcessIdentity } from '../../platform/process-identity.ts'

/** What is remembered of a gateway process so that a later `berth up` can adopt or replace it. */
export interface Launch extends ProcessIdentity {
  readonly gatewayId: string
  /** Everything it was started with but its id; another command means it must be replaced. */
  readonly command: string
  readonly port: number
  readonly startedAtMs: number
}

const SUFFIX = '.launch.json'

/** Writes the record of one gateway. */
export function writeLaunch(folder: string, launch: Launch): void {
  writeFileAtomically(join(folder, `${launch.gatewayId}${SUFFIX}`), JSON.stringify(launch), 0o600)
}

/** Forgets one gateway; does nothing when it is forgotten already. */
export function removeLaunch(folder: string, gatewayId: string): void {
  rmSync(join(folder, `${gatewayId}${SUFFIX}`), { force: true })
}

/** The records of all gateways, dead ones included; unreadable records are left out. */
export function readLaunches(folder: string): readonly Launch[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(SUFFIX))
    .flatMap((file) => parseLaunch(readFileSync(join(folder, file), 'utf8')))
}

function parseLaunch(text: string): readonly Launch[] {
  try {
    const parsed = JSON.parse(text) as Partial<Launch>
    const { gatewayId, pid, startToken, command, port, startedAtMs } = parsed
    if (gatewayId === undefined || pid === undefined || startToken === undefined) return []
    if (command === undefined || port === undefined || startedAtMs === undefined) return []
    return [{ gatewayId, pid, startToken, command, port, startedAtMs }]
  } catch {
    return []
  }
}
