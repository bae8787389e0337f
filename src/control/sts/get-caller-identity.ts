import { encodeCallerIdentity } from '../../wire/sts.ts'
import type { Action } from './action.ts'

/** Says who signed. */
export const getCallerIdentity: Action = {
  name: 'GetCallerIdentity',
  run: (_parameters, { principal, requestId }) => encodeCallerIdentity(principal, requestId),
}
