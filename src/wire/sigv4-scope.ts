import type { AuthFailure } from './auth-types.ts'
import type { SignatureClaim } from './sigv4-claim.ts'

/** What a credential scope may name. */
export interface ScopeRules {
  readonly regions: readonly string[]
  readonly services?: readonly string[]
}

/** What is wrong with the credential scope, or undefined. Source: control-plane reference §2.4 and §2.5. */
export function findScopeFailure(
  claim: SignatureClaim,
  { regions, services }: ScopeRules,
): AuthFailure | undefined {
  const { date, region, service, terminator, amzDate } = claim
  if (terminator !== 'aws4_request') {
    return badScope(
      `Credential should be scoped with a valid terminator: 'aws4_request', not '${terminator}'.`,
    )
  }
  if (services !== undefined && !services.includes(service)) {
    return badScope(`Credential should be scoped to correct service: '${services[0] ?? ''}'.`)
  }
  if (!regions.includes(region)) {
    return badScope(`Credential should be scoped to a valid Region, not '${region}'.`)
  }
  const day = amzDate.slice(0, 8)
  if (date === day) return undefined
  return badScope(
    `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${day}', from '${amzDate}'.`,
  )
}

function badScope(message: string): AuthFailure {
  return { kind: 'bad-scope', message }
}
