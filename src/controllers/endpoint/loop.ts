import type { Log } from '../../platform/log.ts'
import { WorkQueue } from '../../platform/work-queue.ts'
import type { WorkQueueStats } from '../../platform/work-queue.ts'
import { createEndpointWorld } from './observe.ts'
import type { EndpointPorts } from './observe.ts'
import type { EndpointPlan } from './plan.ts'
import { reconcileEndpoint } from './reconcile.ts'

const RESYNC_INTERVAL_MS = 30_000

/** The endpoint controller at work. */
export interface EndpointLoop {
  /** Begins with every endpoint there is. The runtime must have been started: it adopts before anything is planned. */
  start(): void
  /** Resolves when the endpoint in flight is finished; instances and routes stay as they are. */
  stop(): Promise<void>
  stats(): WorkQueueStats
}

/** Keeps every endpoint on its way to its record: looks when store or runtime announce a change, and now and then. */
export function createEndpointLoop(ports: EndpointPorts & { readonly log: Log }): EndpointLoop {
  const { store, runtime, gateways, clock, log } = ports
  const world = createEndpointWorld(ports)
  const queue = new WorkQueue({
    name: 'endpoint',
    clock,
    log,
    resyncIntervalMs: RESYNC_INTERVAL_MS,
    async reconcile(endpointName, signal) {
      const plan = await reconcileEndpoint(endpointName, world, signal)
      if (plan.actions.length > 0) {
        log.info({ endpointName, actions: countKinds(plan) }, 'endpoint reconciled')
      }
      return plan.requeueAfterMs
    },
    // Fleets and routes without an endpoint too: that is how they are found and ended.
    async listKeys() {
      const fleets = await runtime.observeFleets()
      return [
        ...(await store.listEndpointNames()),
        ...fleets.map(({ endpointName }) => endpointName),
        ...gateways.routedEndpointNames(),
      ]
    },
  })
  const unsubscribe: (() => void)[] = []
  return {
    start() {
      const add = (endpointName: string): void => queue.add(endpointName)
      unsubscribe.push(store.onEndpointChange(add), runtime.onChange(add))
      queue.start()
    },
    async stop() {
      for (const end of unsubscribe) end()
      await queue.stop()
    },
    stats: () => queue.stats(),
  }
}

function countKinds({ actions }: EndpointPlan): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { kind } of actions) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
