import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import { parseEndpointReport, parsePlatformReport } from './client/reports.ts'
import type { EndpointReport, PlatformReport, ProcessReport } from './client/reports.ts'
import { signedFetch } from './client/signed-fetch.ts'
import { CliFailure } from './failure.ts'
import type { ExitReason } from './exit-codes.ts'
import { paintStatus } from './terminal/style.ts'
import { formatAge, formatBytes, formatTable } from './terminal/table.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Flags of `berth describe`. */
export interface DescribeOptions extends TargetOptions {
  readonly platform?: boolean
  readonly json?: boolean
}

const EVENTS_SHOWN_MAX = 12

/** Shows one endpoint, or the processes of the platform. */
export async function runDescribe(
  name: string | undefined,
  options: DescribeOptions,
  terminal: Terminal,
): Promise<ExitReason> {
  const path = choosePath(name, options)
  const target = findBerth(options)
  using _progress = terminal.startProgress('Asking Berth')
  const response = await signedFetch(target, { path })
  const json: unknown = await response.json()
  if (options.json === true) terminal.printJson(json)
  else if (options.platform === true) printPlatform(parsePlatformReport(json), terminal)
  else printEndpoint(parseEndpointReport(json), terminal, Date.now())
  return 'ok'
}

function choosePath(name: string | undefined, options: DescribeOptions): string {
  if ((name === undefined) !== (options.platform === true)) {
    throw new CliFailure('usage', 'Name an endpoint, or give --platform; not both.', {
      cure: 'berth list shows the endpoints.',
    })
  }
  return name === undefined ? '/berth/platform' : `/berth/endpoints/${encodeURIComponent(name)}`
}

function printEndpoint(endpoint: EndpointReport, terminal: Terminal, nowMs: number): void {
  const { style } = terminal
  const age = (atMs: number | undefined): string =>
    atMs === undefined ? '-' : formatAge(nowMs - atMs)
  const deployment =
    endpoint.deployment === undefined
      ? ''
      : ` (${endpoint.deployment.kind} for ${age(endpoint.deployment.startedAtMs)})`
  terminal.print(
    `${style.bold(endpoint.endpointName)}  ${paintStatus(style, endpoint.status)}${deployment}`,
  )
  if (endpoint.failureReason !== undefined) terminal.print(style.red(endpoint.failureReason))
  terminal.print(`arn      ${endpoint.endpointArn ?? '-'}`)
  terminal.print(`config   ${endpoint.configName ?? '-'}`)
  terminal.print(
    `created  ${age(endpoint.createdAtMs)} ago, changed ${age(endpoint.modifiedAtMs)} ago`,
  )
  terminal.print(`\n${style.bold('Variants')}`)
  const variantRows = endpoint.variants.map((variant) => [
    variant.variantName,
    variant.modelName ?? '-',
    variant.instanceType ?? '-',
    formatWish(variant.currentInstanceCount, variant.desiredInstanceCount),
    formatWish(variant.currentWeight, variant.desiredWeight),
  ])
  terminal.print(formatTable(['NAME', 'MODEL', 'TYPE', 'INSTANCES', 'WEIGHT'], variantRows))
  terminal.print(`\n${style.bold('Instances')}`)
  const instanceRows = endpoint.instances.map((instance) => [
    instance.instanceId,
    instance.variantName ?? '-',
    paintStatus(style, instance.state),
    String(instance.pid ?? '-'),
    age(instance.startedAtMs),
    instance.reason ?? '',
  ])
  terminal.print(
    formatTable(
      ['ID', 'VARIANT', 'HEALTH', 'PID', 'AGE', ...reasonHeading(instanceRows)],
      instanceRows,
    ),
  )
  terminal.print(`\n${style.bold('Events')}, newest first`)
  for (const event of endpoint.events.slice(0, EVENTS_SHOWN_MAX)) {
    terminal.print(`${age(event.atMs).padStart(4)} ago  ${style.cyan(event.kind)}  ${event.reason}`)
  }
}

function printPlatform(platform: PlatformReport, terminal: Terminal): void {
  const row = (role: string, process: ProcessReport): string[] => [
    role,
    String(process.pid ?? '-'),
    process.memoryBytes === undefined ? '-' : formatBytes(process.memoryBytes),
    process.uptimeMs === undefined ? '-' : formatAge(process.uptimeMs),
    process.version ?? '-',
  ]
  terminal.print(`Berth ${platform.version ?? '?'} at ${platform.url ?? '?'}\n`)
  const nowMs = Date.now()
  const rows = [
    row('control', platform.control),
    ...platform.gateways.map((gateway) => row('gateway', gateway)),
    ...platform.instances.map((instance) =>
      row(
        `instance ${instance.endpointName ?? '?'}/${instance.variantName ?? '?'} ${instance.state}`,
        {
          ...instance,
          uptimeMs: instance.startedAtMs === undefined ? undefined : nowMs - instance.startedAtMs,
          version: undefined,
        },
      ),
    ),
  ]
  terminal.print(formatTable(['ROLE', 'PID', 'MEMORY', 'UPTIME', 'VERSION'], rows))
}

function reasonHeading(rows: readonly (readonly string[])[]): string[] {
  return rows.some((row) => row.at(-1) !== '') ? ['REASON'] : []
}

/** `2` when wish and fact agree, else `1 → 2`. */
function formatWish(current: number | undefined, desired: number | undefined): string {
  if (current === desired || desired === undefined) return String(current ?? '-')
  return `${current ?? '-'} → ${desired}`
}
