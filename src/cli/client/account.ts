import { CliFailure } from '../failure.ts'
import type { BerthTarget } from './find-berth.ts'
import { signedFetch } from './signed-fetch.ts'

/** The account of the target's credentials: known from the data directory, else asked of STS. */
export async function findAccountId(target: BerthTarget): Promise<string> {
  if (target.accountId !== undefined) return target.accountId
  const response = await signedFetch(target, {
    path: '/',
    service: 'sts',
    form: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
  })
  const [, accountId] = /<Account>(\d{12})<\/Account>/.exec(await response.text()) ?? []
  if (accountId !== undefined) return accountId
  throw new CliFailure('failed', `${target.url} did not say which account it is.`)
}
