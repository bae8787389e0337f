import { createHmac } from 'node:crypto'

const KEYS_MAX = 1024

/** The parts of a credential scope that go into a signing key. */
export interface KeyScope {
  readonly date: string
  readonly region: string
  readonly service: string
}

/** Derived signing keys, so that a request costs one HMAC instead of five. Holds at most {@link KEYS_MAX}. */
export class SigningKeyCache {
  readonly #keyByInput = new Map<string, Buffer>()

  /** The signing key for a secret and scope. The secret itself is part of the cache key, so two never mix. */
  find(secretAccessKey: string, { date, region, service }: KeyScope): Buffer {
    const input = `${date}\0${region}\0${service}\0${secretAccessKey}`
    const cached = this.#keyByInput.get(input)
    if (cached !== undefined) return cached
    const key = deriveSigningKey(secretAccessKey, { date, region, service })
    if (this.#keyByInput.size >= KEYS_MAX) this.#forgetOldest()
    this.#keyByInput.set(input, key)
    return key
  }

  #forgetOldest(): void {
    const oldest = this.#keyByInput.keys().next()
    if (!oldest.done) this.#keyByInput.delete(oldest.value)
  }
}

function deriveSigningKey(secretAccessKey: string, { date, region, service }: KeyScope): Buffer {
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`, 'utf8')
  for (const part of [date, region, service, 'aws4_request']) key = hmac(key, part)
  return key
}

/** HMAC-SHA256 of a text. */
export function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest()
}
