import { addressOfUrl } from './address.ts'
import type { BenchBerth } from './berth.ts'
import { type PlainRequest, signRequests } from './requests.ts'
import { encodeInstances, makeRows } from './rows.ts'

/** Invocations of an endpoint, one row each, every one signed for itself: good for minutes from now. */
export function signInvocations(berth: BenchBerth, endpointName: string): Promise<Buffer[]> {
  const { environment, running } = berth
  return signRequests(
    addressOfUrl(running.url),
    plainInvocations(`/endpoints/${endpointName}/invocations`),
    {
      accessKeyId: environment.AWS_ACCESS_KEY_ID,
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
      region: environment.AWS_REGION,
      service: 'sagemaker',
    },
  )
}

/** One row of 64 numbers each, all rows different; the same list on every run. */
export function plainInvocations(path: string): PlainRequest[] {
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  return makeRows().map((row) => ({ method: 'POST', path, headers, body: encodeInstances(row) }))
}
