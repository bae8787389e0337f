import { readFileSync } from 'node:fs'
import { environment } from '../../platform/config.ts'
import { dataPathsOf } from '../../platform/data-paths.ts'
import type { DataPaths } from '../../platform/data-paths.ts'
import { OPTIONS } from '../../platform/options.ts'
import { CliFailure } from '../failure.ts'
import { numberField, parseJson, textField } from '../json.ts'

/** Flags of every command that talks to a running Berth. */
export interface TargetOptions {
  readonly endpointUrl?: string
  readonly dataDir?: string
}

/** A running Berth and the credentials to talk to it. */
export interface BerthTarget {
  /** Without a trailing slash. */
  readonly url: string
  readonly credentials: Credentials
  readonly region: string
  /** Unknown when the target came from the environment. */
  readonly accountId: string | undefined
}

/** What requests are signed with. */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** What a running Berth writes about itself. */
export interface PlatformRecord {
  readonly url: string
  readonly controlPid: number | undefined
  readonly startedAtMs: number | undefined
  readonly version: string | undefined
}

/**
 * Where Berth is: flags first, then a data directory named on the command line, then the AWS variables of the
 * environment, then the default data directory.
 *
 * @throws CliFailure `unreachable`: nothing there says where a Berth is running.
 */
export function findBerth(options: TargetOptions): BerthTarget {
  const env = environment()
  const paths = dataPathsOf(dataDirOf(options))
  const envUrl = env['AWS_ENDPOINT_URL_SAGEMAKER'] || env['AWS_ENDPOINT_URL']
  if (options.endpointUrl !== undefined)
    return targetAt(parseUrl(options.endpointUrl), paths, options)
  if (options.dataDir === undefined && envUrl) return targetAt(parseUrl(envUrl), paths, options)
  const record = readPlatformRecord(paths)
  const stored = readCredentials(paths)
  if (record === undefined || stored === undefined) {
    throw new CliFailure(
      'unreachable',
      `No Berth is running with the data directory ${paths.dataDir}.`,
      {
        cure: `Start one: berth up${options.dataDir === undefined ? '' : ` --data-dir ${options.dataDir}`}`,
      },
    )
  }
  return { url: record.url, ...stored }
}

/** The data directory that the flags, the environment or the default name; absolute. */
export function dataDirOf(options: { readonly dataDir?: string }): string {
  const text = options.dataDir ?? environment()['BERTH_DATA_DIR'] ?? OPTIONS.BERTH_DATA_DIR.default
  return dataPathsOf(text).dataDir
}

/** The record of the Berth that runs on a data directory; `undefined` when none does. */
export function readPlatformRecord(paths: DataPaths): PlatformRecord | undefined {
  const record = readJson(paths.platformRecord)
  const url = textField(record, 'url')
  if (url === undefined) return undefined
  return {
    url: parseUrl(url),
    controlPid: numberField(record, 'controlPid'),
    startedAtMs: numberField(record, 'startedAtMs'),
    version: textField(record, 'version'),
  }
}

// A URL without credentials beside it: the environment's win, so that assumed roles work; else the data directory's.
function targetAt(url: string, paths: DataPaths, options: TargetOptions): BerthTarget {
  const env = environment()
  const stored = readCredentials(paths)
  const accessKeyId = env['AWS_ACCESS_KEY_ID']
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY']
  if (options.dataDir === undefined && accessKeyId && secretAccessKey) {
    const sessionToken = env['AWS_SESSION_TOKEN']
    const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || OPTIONS.BERTH_REGION.default
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
    return { url, credentials, region, accountId: undefined }
  }
  if (stored !== undefined) return { url, ...stored }
  throw new CliFailure('usage', `There are no credentials for ${url}.`, {
    cure: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name the data directory with --data-dir.',
  })
}

function readCredentials(paths: DataPaths): Omit<BerthTarget, 'url'> | undefined {
  const file = readJson(paths.credentials)
  const accessKeyId = textField(file, 'accessKeyId')
  const secretAccessKey = textField(file, 'secretAccessKey')
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  return {
    credentials: { accessKeyId, secretAccessKey },
    region: textField(file, 'region') ?? OPTIONS.BERTH_REGION.default,
    accountId: textField(file, 'accountId') ?? OPTIONS.BERTH_ACCOUNT_ID.default,
  }
}

function readJson(path: string): unknown {
  try {
    return parseJson(readFileSync(path, 'utf8'))
  } catch (cause) {
    const code = textField(cause, 'code')
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new CliFailure('failed', `${path} cannot be read (${code ?? String(cause)}).`, { cause })
  }
}

function parseUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new CliFailure('usage', `"${text}" is not the URL of a Berth; expected http://HOST:PORT.`)
  }
  return url.origin
}
