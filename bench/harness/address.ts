import type { NetConnectOpts } from 'node:net'

/** Where a server listens. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string }

export function addressOfUrl(url: string): Address {
  const { hostname, port } = new URL(url)
  return { kind: 'tcp', host: hostname, port: Number(port) }
}

export function connectOptions(address: Address): NetConnectOpts {
  return address.kind === 'socket'
    ? { path: address.path }
    : { host: address.host, port: address.port, noDelay: true }
}

/** Value of the `Host` header. */
export function hostHeader(address: Address): string {
  return address.kind === 'socket' ? 'localhost' : `${address.host}:${address.port}`
}
