import { readFileSync } from 'node:fs'

import type { Credentials } from '../wire/find-secret.ts'

/** Reads the credentials file of a data directory. @throws Error naming the file and what it lacks. */
export function loadCredentials(file: string): Credentials {
  const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
  const field = (name: string): string => {
    const value: unknown = Reflect.get(Object(parsed), name)
    if (typeof value === 'string' && value !== '') return value
    throw new Error(`The credentials file ${file} has no "${name}".`)
  }
  return {
    accessKeyId: field('accessKeyId'),
    secretAccessKey: field('secretAccessKey'),
    sessionKey: Buffer.from(field('sessionKeyHex'), 'hex'),
    accountId: field('accountId'),
    region: field('region'),
  }
}
