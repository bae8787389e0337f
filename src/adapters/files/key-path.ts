import { BerthError } from '../../domain/errors.ts'

/** Ends the name of a file that holds an object. `%o` is no escape, so no encoded key element ends in it. */
export const OBJECT_SUFFIX = '%object'
/** Ends the name of a folder that holds the rest of a key element too long for one name. */
export const CONTINUED_SUFFIX = '%more'

const KEY_BYTES_MAX = 1024
// 255 is the limit of every common file system; the rest is room for a suffix.
const NAME_BYTES_MAX = 240
// `%` is ours; the others are refused by some file system or are hard to type in a shell.
const UNSAFE = /[%<>:"|?*\\\p{Cc}]/gu
// A file system that folds case or normalises Unicode must not see either.
const UNSAFE_WHEN_FOLDED = /[%<>:"|?*\\\p{Cc}A-Z]|\P{ASCII}/gu
const BUCKET_NAME = /^(?!xn--)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

// One character, or all escapes of one character.
const TOKEN = /%[C-F][0-9A-F](?:%[89AB][0-9A-F])+|%[0-9A-F]{2}|[^]/gu

/** Whether names that differ only in case or Unicode form are one name on the file system. */
export type NameFolding = 'exact' | 'folded'

/** What one name in a bucket's folder stands for. */
export type EntryName =
  | { readonly kind: 'object' | 'folder' | 'continued'; readonly name: string }
  | { readonly kind: 'foreign' }

/**
 * The file of a key, as path elements below its bucket's folder.
 *
 * ```
 * models/digits/model.tar.gz   models/digits/model.tar.gz%object
 * a      a/                    a%object     a/%object
 * ../x   what?                 %2E%2E/x%object    what%3F%object
 * <300 bytes>                  <first 240>%more/<the rest>%object
 * ```
 *
 * Folders and object files never share a name, so `a` and `a/b` exist side by side. Reversible: {@link parseEntryName}.
 *
 * @throws BerthError `KeyTooLongError`: more than 1024 bytes. `InvalidArgument`: empty, or not well-formed Unicode.
 */
export function encodeKeyPath(key: string, folding: NameFolding): readonly string[] {
  assertKey(key)
  const elements = key.split('/')
  const last = elements.pop() ?? ''
  const path = encodeFolderPath(elements, folding)
  const chunks = encodeElement(last, folding)
  const file = chunks.pop() ?? ''
  return [...path, ...chunks.map((chunk) => chunk + CONTINUED_SUFFIX), file + OBJECT_SUFFIX]
}

/** The folder of a key prefix that ends in `/` (its elements without the empty last one). */
export function encodeFolderPath(elements: readonly string[], folding: NameFolding): string[] {
  return elements.flatMap((element) => {
    const chunks = encodeElement(element, folding)
    const folder = chunks.pop() ?? ''
    // An empty element needs a name, and `%` alone is nothing's escape.
    return [...chunks.map((chunk) => chunk + CONTINUED_SUFFIX), folder === '' ? '%' : folder]
  })
}

/** What a directory entry stands for; `foreign` when we did not write it. */
export function parseEntryName(name: string, isFolder: boolean): EntryName {
  const kind = kindOf(name, isFolder)
  if (kind === undefined) return { kind: 'foreign' }
  const suffixLength =
    kind === 'object' ? OBJECT_SUFFIX.length : kind === 'continued' ? CONTINUED_SUFFIX.length : 0
  const encoded = name.slice(0, name.length - suffixLength)
  const decoded = kind === 'folder' && encoded === '%' ? '' : decodeElement(encoded)
  return decoded === undefined ? { kind: 'foreign' } : { kind, name: decoded }
}

/** @throws BerthError `InvalidBucketName` */
export function assertBucketName(bucketName: string): void {
  if (BUCKET_NAME.test(bucketName) && !/^\d+\.\d+\.\d+\.\d+$/.test(bucketName)) return
  throw new BerthError('InvalidBucketName', 'The specified bucket is not valid.', {
    members: { BucketName: bucketName.slice(0, 255) },
  })
}

function assertKey(key: string): void {
  if (key === '' || !key.isWellFormed()) {
    throw new BerthError(
      'InvalidArgument',
      'An object key must be a non-empty, well-formed Unicode text.',
    )
  }
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
    throw new BerthError('KeyTooLongError', 'Your key is too long', {
      members: { Size: Buffer.byteLength(key), MaxSizeAllowed: KEY_BYTES_MAX },
    })
  }
}

function kindOf(name: string, isFolder: boolean): 'object' | 'folder' | 'continued' | undefined {
  if (!isFolder) return name.endsWith(OBJECT_SUFFIX) ? 'object' : undefined
  return name.endsWith(CONTINUED_SUFFIX) ? 'continued' : 'folder'
}

/** An element as one or more names of at most 240 bytes; the empty element is one empty name. */
function encodeElement(element: string, folding: NameFolding): string[] {
  if (/^\.{1,2}$/.test(element)) return [element.replaceAll('.', '%2E')]
  const encoded = element.replace(folding === 'exact' ? UNSAFE : UNSAFE_WHEN_FOLDED, escape)
  return Buffer.byteLength(encoded) <= NAME_BYTES_MAX ? [encoded] : splitName(encoded)
}

/** Cuts between characters and escapes, never inside one. Each name but the last is full, so the cut is unique. */
function splitName(encoded: string): string[] {
  const names = ['']
  let bytes = 0
  for (const token of encoded.match(TOKEN) ?? []) {
    bytes += Buffer.byteLength(token)
    if (bytes > NAME_BYTES_MAX) {
      names.push('')
      bytes = Buffer.byteLength(token)
    }
    names[names.length - 1] += token
  }
  // A rest of `.` or `..` would leave the folder.
  return names.map((name) => (/^\.{1,2}$/.test(name) ? name.replaceAll('.', '%2E') : name))
}

function escape(character: string): string {
  let escaped = ''
  for (const byte of Buffer.from(character)) {
    escaped += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return escaped
}

function decodeElement(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}
