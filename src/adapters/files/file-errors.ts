import { BerthError } from '../../domain/errors.ts'
import type { ErrorCode } from '../../domain/errors.ts'

const DISK_FULL = [
  'InsufficientStorage',
  'The disk of the data directory is full; nothing was stored.',
] as const
const TOO_MANY_FILES = [
  'SlowDown',
  'Too many files are open. Please reduce your request rate.',
] as const

const TRANSLATIONS = new Map<string, readonly [ErrorCode, string]>([
  ['ENOSPC', DISK_FULL],
  ['EDQUOT', DISK_FULL],
  ['EMFILE', TOO_MANY_FILES],
  ['ENFILE', TOO_MANY_FILES],
  ['ENAMETOOLONG', ['KeyTooLongError', 'Your key is too long for the file system']],
])

/** The operating system's code of a caught value, such as `ENOENT`. */
export function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Whether a caught value says that something is not there. */
export function isAbsent(error: unknown): boolean {
  const code = systemCodeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** A failure of the file system as the caller may see it; anything else as it is. */
export function translateFileError(error: unknown): unknown {
  const translation = TRANSLATIONS.get(systemCodeOf(error) ?? '')
  if (translation === undefined) return error
  const [code, message] = translation
  return new BerthError(code, message, { cause: error })
}

/** @returns an error that says the bucket does not exist. */
export function noSuchBucket(bucketName: string): BerthError {
  return new BerthError('NoSuchBucket', 'The specified bucket does not exist', {
    members: { BucketName: bucketName },
  })
}

/** @returns an error that says the object does not exist. */
export function noSuchKey(key: string): BerthError {
  return new BerthError('NoSuchKey', 'The specified key does not exist.', { members: { Key: key } })
}
