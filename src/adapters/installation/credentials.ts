import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'

import type { Installation } from '../../domain/arn.ts'
import { parseRootCredentials } from '../../domain/credentials.ts'
import type { RootCredentials } from '../../domain/credentials.ts'
import { writeFileAtomically } from '../../platform/atomic-file.ts'

/**
 * Reads the credentials file of a data directory, or writes one with a new key at the first start.
 *
 * The file has mode 0600. Account and region are the configured ones; the keys never change.
 *
 * @throws Error naming the file when it exists and is not a credentials file.
 */
export function loadOrCreateCredentials(file: string, at: Installation): RootCredentials {
  const stored = readIfPresent(file) ?? createFile(file, at)
  const credentials = parseRootCredentials(file, stored)
  if (credentials.accountId === at.accountId && credentials.region === at.region) return credentials
  const moved = { ...credentials, ...at }
  writeFileAtomically(file, encode(moved), 0o600)
  return moved
}

function createFile(file: string, at: Installation): string {
  const text = encode({
    accessKeyId: `AKIA${base32(randomBytes(10))}`,
    secretAccessKey: randomBytes(30).toString('base64'),
    sessionKeyHex: randomBytes(32).toString('hex'),
    accountId: at.accountId,
    region: at.region,
  })
  writeFileAtomically(file, text, 0o600)
  return text
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function encode(credentials: RootCredentials): string {
  return `${JSON.stringify(credentials, undefined, 2)}\n`
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((group) => BASE32[Number.parseInt(group, 2)]).join('')
}
