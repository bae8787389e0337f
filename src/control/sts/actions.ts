import { BerthError } from '../../domain/errors.ts'
import type { WireReply } from '../../wire/errors.ts'
import { parseQueryRequest } from '../../wire/query.ts'
import type { Action, ActionContext } from './action.ts'
import { assumeRole } from './assume-role.ts'
import { getCallerIdentity } from './get-caller-identity.ts'

/** Every STS action that Berth offers. */
const ACTIONS: readonly Action[] = [assumeRole, getCallerIdentity]

const VERSION = '2011-06-15'

/**
 * Runs the action of a Query request.
 *
 * @throws BerthError `InvalidAction`: another action, or another version of the API.
 */
export function runStsAction(body: Uint8Array, context: ActionContext): WireReply {
  const { action: name, version, parameters } = parseQueryRequest(body)
  const action = ACTIONS.find((candidate) => candidate.name === name)
  if (action === undefined || version !== VERSION) {
    throw new BerthError(
      'InvalidAction',
      `Could not find operation ${name.slice(0, 128)} for version ${(version ?? 'NO_VERSION_SPECIFIED').slice(0, 32)}. Berth offers ${ACTIONS.map((offered) => offered.name).join(' and ')}, version ${VERSION}.`,
    )
  }
  return action.run(parameters, context)
}
