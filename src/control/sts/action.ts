import type { Principal } from '../../wire/auth-types.ts'
import type { WireReply } from '../../wire/errors.ts'
import type { QueryNode } from '../../wire/query.ts'
import type { ControlDeps } from '../deps.ts'

/** What one call of an STS action may use. */
export interface ActionContext {
  readonly principal: Principal
  readonly requestId: string
  readonly deps: Pick<ControlDeps, 'installation' | 'installationKey' | 'clock'>
}

/** One action of the STS API. */
export interface Action {
  readonly name: string
  /** @throws BerthError: the refusal the caller gets. */
  run(parameters: QueryNode, context: ActionContext): WireReply
}
