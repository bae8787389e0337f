/** How long and how often is measured. */
export interface Scale {
  readonly roundCount: number
  readonly warmMs: number
  readonly measuredMs: number
  /** Starts of the platform, deployments of an endpoint. */
  readonly repeatCount: number
  /** Models, configs and endpoints in the store. */
  readonly registeredCount: number
  /** Requests and connections after which the gateway's memory is looked at. */
  readonly memoryRequestCount: number
  readonly memoryConnectionCount: number
}

export const FULL: Scale = {
  roundCount: 5,
  warmMs: 1_000,
  measuredMs: 4_000,
  repeatCount: 7,
  registeredCount: 10_000,
  memoryRequestCount: 1_000_000,
  memoryConnectionCount: 10_000,
}

/** Shows that the bench works; its numbers are not worth writing down. */
export const SMOKE: Scale = {
  roundCount: 1,
  warmMs: 200,
  measuredMs: 500,
  repeatCount: 1,
  registeredCount: 300,
  memoryRequestCount: 5_000,
  memoryConnectionCount: 1_000,
}

/** What every bench is given. */
export interface BenchOptions {
  readonly scale: Scale
  /** Says what is being measured now. */
  readonly show: (text: string) => void
}
