import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { findProcess, isRunning } from '../../platform/process-identity.ts'
import type { ProcessIdentity } from '../../platform/process-identity.ts'

/**
 * Gateways that run but are not connected: those of an earlier control process until they have found this one, and
 * those whose connection broke. They may still use instances, so nothing is drained while one of them lives.
 */
export class UnconnectedGateways {
  readonly #identityByGateway = new Map<string, ProcessIdentity>()

  /** Adds every live gateway that has a record file: its own or that of the process that launched it. */
  loadRecords(gatewaysDir: string): void {
    for (const name of listFiles(gatewaysDir)) {
      const record = parseRecord(readText(join(gatewaysDir, name)))
      if (record !== undefined && isRunning(record)) {
        this.#identityByGateway.set(record.gatewayId, record)
      }
    }
  }

  /** A connection ended; the process may have ended with it. */
  add(gatewayId: string, pid: number): void {
    const identity = findProcess(pid)
    if (identity !== undefined) this.#identityByGateway.set(gatewayId, identity)
  }

  remove(gatewayId: string): void {
    this.#identityByGateway.delete(gatewayId)
  }

  hasLive(): boolean {
    for (const [gatewayId, identity] of this.#identityByGateway) {
      if (isRunning(identity)) return true
      this.#identityByGateway.delete(gatewayId)
    }
    return false
  }
}

function parseRecord(text: string): (ProcessIdentity & { gatewayId: string }) | undefined {
  try {
    const parsed = JSON.parse(text) as Partial<ProcessIdentity & { gatewayId: string }>
    const { gatewayId, pid, startToken } = parsed
    if (gatewayId === undefined || pid === undefined || startToken === undefined) return undefined
    return { gatewayId, pid, startToken }
  } catch {
    return undefined
  }
}

function listFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'))
  } catch {
    return []
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
