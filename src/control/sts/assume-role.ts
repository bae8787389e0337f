import { randomBytes } from 'node:crypto'
import { BerthError } from '../../domain/errors.ts'
import { assumedRole, mintSession } from '../../wire/session-token.ts'
import { encodeAssumedRole, parseAssumeRole } from '../../wire/sts.ts'
import type { Action, ActionContext } from './action.ts'

// Source: STS API reference, AssumeRole: a role session that assumes a role gets one hour at most.
const CHAINED_SECONDS_MAX = 3600

/**
 * Hands out temporary credentials of a role. Any role name of this account is a role: Berth has no policies yet, so
 * every session may do what root may.
 */
export const assumeRole: Action = {
  name: 'AssumeRole',
  run(parameters, context) {
    const { roleArn, sessionName, durationSeconds } = parseAssumeRole(parameters)
    refuseForeignRole(roleArn, context)
    refuseLongChain(durationSeconds, context)
    const { installationKey, clock } = context.deps
    const credentials = mintSession(installationKey, {
      roleArn,
      sessionName,
      expiresAtMs: clock.nowMs() + durationSeconds * 1000,
      randomBytes,
    })
    const session = assumedRole(installationKey, roleArn, sessionName)
    return encodeAssumedRole(credentials, session, context.requestId)
  },
}

function refuseForeignRole(roleArn: string, { principal, deps }: ActionContext): void {
  if (roleArn.startsWith(`arn:aws:iam::${deps.installation.accountId}:role/`)) return
  throw new BerthError(
    'AccessDeniedException',
    `User: ${principal.arn} is not authorized to perform: sts:AssumeRole on resource: ${roleArn}`,
  )
}

function refuseLongChain(durationSeconds: number, { principal }: ActionContext): void {
  const isChained = principal.arn.includes(':assumed-role/')
  if (!isChained || durationSeconds <= CHAINED_SECONDS_MAX) return
  throw new BerthError(
    'ValidationError',
    'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
  )
}
