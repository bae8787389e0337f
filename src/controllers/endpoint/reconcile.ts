import { applyAction } from './apply.ts'
import { planEndpoint } from './plan.ts'
import type { EndpointPlan } from './plan.ts'
import type { EndpointWorld } from './world.ts'

/** Moves one endpoint one step towards its desired state. Safe to run at any time, any number of times. */
export async function reconcileEndpoint(
  endpointName: string,
  world: EndpointWorld,
  signal: AbortSignal,
): Promise<EndpointPlan> {
  const plan = planEndpoint(await world.observe(endpointName, signal))
  for (const action of plan.actions) {
    if (signal.aborted) return plan
    // Written by somebody else meanwhile: plan anew, at once.
    if (!(await applyAction(endpointName, action, world))) return { ...plan, requeueAfterMs: 0 }
  }
  return plan
}
