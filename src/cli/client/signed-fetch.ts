import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'
import { CliFailure } from '../failure.ts'
import { parseJson, textField } from '../json.ts'
import type { BerthTarget } from './find-berth.ts'

/** A request to one of Berth's own routes, or to an AWS service that is too small for a client library. */
export interface SignedFetchRequest {
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Sent as a form by POST when present. */
  readonly form?: Readonly<Record<string, string>>
  /** Name in the credential scope. @defaultValue sagemaker */
  readonly service?: string
}

/**
 * Sends a request signed with the target's credentials and returns the successful response, body unread.
 *
 * @throws CliFailure `notFound` or `failed` with what Berth answered.
 */
export async function signedFetch(
  target: Omit<BerthTarget, 'accountId'>,
  { path, query = {}, form, service = 'sagemaker' }: SignedFetchRequest,
  signal?: AbortSignal,
): Promise<Response> {
  const url = new URL(path, target.url)
  const body = form === undefined ? undefined : new URLSearchParams(form).toString()
  const signer = new SignatureV4({
    service,
    region: target.region,
    credentials: target.credentials,
    sha256: Sha256,
  })
  const signed = await signer.sign({
    method: body === undefined ? 'GET' : 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: { ...query },
    headers: {
      host: url.host,
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(body === undefined ? {} : { body }),
  })
  // fetch sends the host of the URL, which is the one that was signed.
  const { host: _, ...headers } = signed.headers
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  const response = await fetch(url, {
    method: signed.method,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  })
  if (response.ok) return response
  throw await toAnswerFailure(response)
}

async function toAnswerFailure(response: Response): Promise<CliFailure> {
  const text = await response.text()
  const json = parseJson(text)
  const type = textField(json, '__type') ?? response.headers.get('x-amzn-errortype') ?? undefined
  const code = type?.split('#').at(-1)?.split(':')[0] ?? `HTTP ${response.status}`
  const message = textField(json, 'message') ?? textField(json, 'Message') ?? text.slice(0, 300)
  const exitReason =
    response.status === 404 || /not find|not found/.test(message) ? 'notFound' : 'failed'
  return new CliFailure(exitReason, `${code}: ${message}`)
}
