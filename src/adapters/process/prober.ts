import { dirname } from 'node:path'
import type { InstanceAddress } from '../../domain/fleet.ts'
import { afterPing, describeHealth } from '../../domain/health.ts'
import type { Health, PingPolicy } from '../../domain/health.ts'
import type { Clock } from '../../ports/clock.ts'
import { ping } from './ping.ts'
import { PingPace } from './ping-pace.ts'

/** Whom to ping, how, and who hears of it. */
export interface ProbeOptions {
  readonly address: InstanceAddress
  readonly policy: PingPolicy
  readonly timeoutMs: number
  readonly clock: Clock
  /** Every 200, with what it says of frames. */
  readonly onGoodPing: (framesHeader: string | undefined) => void
  readonly onReady: () => void
  /** Not ready in time, or ready no more; nothing is pinged afterwards. */
  readonly onLost: (reason: string) => void
}

/** Pings one instance until it is lost or the signal aborts. */
export async function runProber(
  initial: Health,
  options: ProbeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { address, policy, timeoutMs, clock } = options
  const folder = address.kind === 'socket' ? dirname(address.path) : undefined
  using pace = new PingPace(folder, policy, clock)
  let health = initial
  while (!signal.aborted) {
    pace.begin()
    const outcome = await ping(address, timeoutMs, signal)
    if (signal.aborted) return
    const nowMs = clock.nowMs()
    const next = afterPing(health, outcome, nowMs, policy)
    if (outcome.kind === 'answered' && outcome.status === 200) {
      options.onGoodPing(outcome.framesHeader)
    }
    if (next.verdict === 'ready' && health.verdict !== 'ready') options.onReady()
    if (next.verdict === 'unhealthy' || next.verdict === 'start-failed') {
      return options.onLost(describeHealth(next))
    }
    health = next
    await pace.wait(health, nowMs, signal)
  }
}
