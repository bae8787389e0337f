import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import { readLines } from './client/read-lines.ts'
import { signedFetch } from './client/signed-fetch.ts'
import type { ExitReason } from './exit-codes.ts'
import { parseJson, textField } from './json.ts'
import { formatLogLine } from './terminal/log-line.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Flags of `berth logs`. */
export interface LogsOptions extends TargetOptions {
  readonly follow?: boolean
  readonly lines: number
  readonly container?: string
  readonly json?: boolean
}

/** Prints the last log lines of an endpoint's containers, and the next ones with `--follow`. */
export async function runLogs(
  name: string,
  options: LogsOptions,
  terminal: Terminal,
): Promise<ExitReason> {
  const target = findBerth(options)
  const response = await signedFetch(target, {
    path: `/berth/endpoints/${encodeURIComponent(name)}/logs`,
    query: {
      lines: String(options.lines),
      follow: String(options.follow === true),
      ...(options.container !== undefined && { container: options.container }),
    },
  })
  if (response.body === null) return 'ok'
  for await (const line of readLines(response.body)) {
    terminal.print(options.json === true ? line : formatLine(line, terminal))
  }
  return 'ok'
}

function formatLine(line: string, { style }: Terminal): string {
  const json = parseJson(line)
  const text = textField(json, 'text')
  if (text === undefined) return line
  const source = [
    textField(json, 'variantName') ?? '?',
    textField(json, 'instanceId') ?? '?',
    textField(json, 'containerHostname') ?? [],
  ]
  return `${style.dim(source.flat().join('/'))} ${formatLogLine(text)}`
}
