import type { InstanceAddress } from './fleet.ts'

/**
 * Environment variables of a container that is not the only one of its instance: its own hostname, and where it and its
 * siblings take invocations.
 *
 * ```text
 * BERTH_CONTAINER_HOSTNAME=vote
 * BERTH_CONTAINERS={"vote":{"http":"/run/…/0.sock"},"svm":{"http":"/run/…/1.sock"},"tree":{"http":"127.0.0.1:8082"}}
 * ```
 *
 * `http` is the path of a Unix socket or `host:port`; there each answers `GET /ping` and `POST /invocations`. One that
 * speaks frames says so in the reply to a ping: `frames-address.ts` tells where from that header and this path.
 *
 * Addresses stay the same while the instance lives, also when a container is restarted. Containers start at the same
 * time: a sibling may not listen yet, or not at the moment.
 */
export const CONTAINERS_VARIABLE = 'BERTH_CONTAINERS'

/** See {@link CONTAINERS_VARIABLE}. */
export const CONTAINER_HOSTNAME_VARIABLE = 'BERTH_CONTAINER_HOSTNAME'

/** Where one container of an instance speaks HTTP. */
export interface SiblingContainer {
  readonly hostname: string
  readonly http: InstanceAddress
}

/** The value of {@link CONTAINERS_VARIABLE}. */
export function encodeSiblings(siblings: readonly SiblingContainer[]): string {
  const entries = siblings.map(({ hostname, http }) => [hostname, { http: encodeAddress(http) }])
  return JSON.stringify(Object.fromEntries(entries))
}

/**
 * The containers of the instance, the reader itself included; their order says nothing.
 *
 * @returns none when the variable is not set: the reader is the only container.
 * @throws Error the value is not what {@link encodeSiblings} writes.
 */
export function parseSiblings(value: string | undefined): readonly SiblingContainer[] {
  if (value === undefined) return []
  const parsed: unknown = JSON.parse(value)
  if (typeof parsed !== 'object' || parsed === null) throw malformed(value)
  return Object.entries(parsed).map(([hostname, place]: [string, unknown]) => {
    const isPlace = typeof place === 'object' && place !== null && 'http' in place
    if (!isPlace || typeof place.http !== 'string') throw malformed(value)
    return { hostname, http: parseAddress(place.http) }
  })
}

function encodeAddress(address: InstanceAddress): string {
  return address.kind === 'socket' ? address.path : `${address.host}:${address.port}`
}

function parseAddress(text: string): InstanceAddress {
  if (text.startsWith('/')) return { kind: 'socket', path: text }
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host === '') throw malformed(text)
  return { kind: 'tcp', host, port: Number(port) }
}

function malformed(value: string): Error {
  return new Error(
    `${CONTAINERS_VARIABLE} is "${value.slice(0, 200)}"; expected hostnames and addresses.`,
  )
}
