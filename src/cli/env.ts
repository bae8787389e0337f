import { basename } from 'node:path'
import { environment } from '../platform/config.ts'
import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import type { ExitReason } from './exit-codes.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Shells whose syntax `berth env` prints. */
export type Shell = 'sh' | 'bash' | 'zsh' | 'fish' | 'powershell' | 'cmd'

/** Flags of `berth env`. */
export interface EnvOptions extends TargetOptions {
  readonly shell?: Shell
  readonly json?: boolean
}

// Left over from other work, each would send the client elsewhere or spoil the signature.
const UNSET = [
  'AWS_SESSION_TOKEN',
  'AWS_PROFILE',
  'AWS_DEFAULT_PROFILE',
  'AWS_ENDPOINT_URL_SAGEMAKER',
  'AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL_STS',
  'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS',
]

/** Prints the variables that point an unmodified AWS client at Berth. */
export function runEnv(options: EnvOptions, terminal: Terminal): ExitReason {
  const target = findBerth(options)
  const { accessKeyId, secretAccessKey, sessionToken } = target.credentials
  const variables: Record<string, string> = {
    AWS_ENDPOINT_URL: target.url,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: target.region,
    // The AWS CLI and boto3 read only this one.
    AWS_DEFAULT_REGION: target.region,
    ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
  }
  if (options.json === true) {
    terminal.printJson(variables)
    return 'ok'
  }
  const shell = options.shell ?? chooseShell()
  for (const name of UNSET) {
    if (variables[name] === undefined) terminal.print(encodeUnset(shell, name))
  }
  for (const [name, value] of Object.entries(variables))
    terminal.print(encodeSet(shell, name, value))
  if (terminal.isInteractive && process.stdout.isTTY)
    terminal.note(`# To use it: ${usageOf(shell)}`)
  return 'ok'
}

function chooseShell(): Shell {
  const name = basename(environment()['SHELL'] ?? '')
  if (name === 'bash' || name === 'zsh' || name === 'fish') return name
  return process.platform === 'win32' ? 'powershell' : 'sh'
}

/** One line that sets a variable, quoted so that no character of the value means anything to the shell. */
export function encodeSet(shell: Shell, name: string, value: string): string {
  switch (shell) {
    case 'sh':
    case 'bash':
    case 'zsh':
      return `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'`
    case 'fish':
      return `set -gx ${name} '${value.replaceAll(/[\\']/g, String.raw`\$&`)}'`
    case 'powershell':
      return `$env:${name} = '${value.replaceAll("'", "''")}'`
    case 'cmd':
      return `set "${name}=${value}"`
  }
}

function encodeUnset(shell: Shell, name: string): string {
  switch (shell) {
    case 'sh':
    case 'bash':
    case 'zsh':
      return `unset ${name}`
    case 'fish':
      return `set -e ${name}`
    case 'powershell':
      return `Remove-Item Env:${name} -ErrorAction SilentlyContinue`
    case 'cmd':
      return `set "${name}="`
  }
}

function usageOf(shell: Shell): string {
  if (shell === 'fish') return 'berth env | source'
  if (shell === 'powershell') return 'berth env | Invoke-Expression'
  if (shell === 'cmd') return `for /f "delims=" %i in ('berth env --shell cmd') do %i`
  return 'eval "$(berth env)"'
}
