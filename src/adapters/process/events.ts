/** Kinds of events this runtime records, each with when. */
export const INSTANCE_EVENTS = {
  'instance-started': 'A process was started for an instance.',
  'instance-ready': 'An instance answered its pings and may be routed to.',
  'instance-start-failed':
    'An instance could not be started, or ended before it had been ready for a while.',
  'instance-exited': 'An instance that had been ready ended by itself.',
  'instance-unhealthy': 'A ready instance missed its pings; it is replaced.',
  'container-failed':
    'One of several containers of a serving instance ended or missed its pings; it alone is started anew.',
  'container-ready': 'A container that was started anew answers its pings again.',
  'instance-draining': 'An instance was taken out of routing, to be stopped.',
  'instance-killed': 'An instance did not stop in time after SIGTERM.',
  'instance-stopped': 'An instance and everything it started are gone.',
  'instance-adopted': 'An instance of an earlier control was found alive and kept.',
  'replacement-delayed': 'Failures repeat, so the next start waits.',
  'orphan-killed': 'A process of this installation without a record was killed.',
  'model-data-prepared': 'The model data of an instance is available on this machine.',
  'model-optimised': 'A large model is served from its optimised form, mapped into memory.',
  'model-not-optimised': 'A large model is served as it was uploaded; the reason says why.',
} as const

/** A key of {@link INSTANCE_EVENTS}. */
export type InstanceEventKind = keyof typeof INSTANCE_EVENTS
