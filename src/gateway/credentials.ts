import { readFileSync } from 'node:fs'

import { parseRootCredentials } from '../domain/credentials.ts'
import type { Credentials } from '../wire/find-secret.ts'

/** Reads the credentials file of a data directory. @throws Error naming the file and what it lacks. */
export function loadCredentials(file: string): Credentials {
  const { sessionKeyHex, ...stored } = parseRootCredentials(file, readFileSync(file, 'utf8'))
  return { ...stored, sessionKey: Buffer.from(sessionKeyHex, 'hex') }
}
