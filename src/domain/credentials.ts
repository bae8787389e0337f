import type { Installation } from './arn.ts'

/** The root access key of an installation and the key its temporary credentials are made with. */
export interface RootCredentials extends Installation {
  /** `AKIA` and 16 characters. */
  readonly accessKeyId: string
  /** 40 characters. */
  readonly secretAccessKey: string
  /** 32 bytes in hex: mints and verifies the session tokens of AssumeRole. */
  readonly sessionKeyHex: string
}

/**
 * Reads the text of a credentials file.
 *
 * @throws Error naming the file and what it lacks.
 */
export function parseRootCredentials(file: string, text: string): RootCredentials {
  const parsed: unknown = JSON.parse(text)
  const field = (name: keyof RootCredentials): string => {
    const value: unknown = Reflect.get(Object(parsed), name)
    if (typeof value === 'string' && value !== '') return value
    const cure = 'Restore it, or move it away for new keys.'
    throw new Error(`The credentials file ${file} has no "${name}". ${cure}`)
  }
  return {
    accessKeyId: field('accessKeyId'),
    secretAccessKey: field('secretAccessKey'),
    sessionKeyHex: field('sessionKeyHex'),
    accountId: field('accountId'),
    region: field('region'),
  }
}
