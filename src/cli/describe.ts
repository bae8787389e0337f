import { formatBytes } from '../platform/format-bytes.ts'
import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import { parseEndpointReport, parsePlatformReport } from './client/reports.ts'
import type {
  EndpointReport,
  FleetReport,
  InstanceReport,
  PlatformReport,
  ProcessReport,
} from './client/reports.ts'
import { signedFetch } from './client/signed-fetch.ts'
import { CliFailure } from './failure.ts'
import { printModels } from './describe-models.ts'
import type { ExitReason } from './exit-codes.ts'
import { paintStatus } from './terminal/style.ts'
import { formatAge, formatTable } from './terminal/table.ts'
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
  const { pending } = endpoint
  const age = (atMs: number | undefined): string =>
    atMs === undefined ? '-' : formatAge(nowMs - atMs)
  terminal.print(`${style.bold(endpoint.name)}  ${paintStatus(style, endpoint.status)}`)
  if (endpoint.failureReason !== undefined) terminal.print(style.red(endpoint.failureReason))
  terminal.print(`arn      ${endpoint.arn ?? '-'}`)
  terminal.print(`config   ${endpoint.configName ?? '-'}`)
  if (pending !== undefined) {
    terminal.print(`coming   ${pending.configName}, for ${age(pending.startedAtMs)}`)
  }
  terminal.print(
    `created  ${age(endpoint.createdAtMs)} ago, changed ${age(endpoint.modifiedAtMs)} ago`,
  )
  const newest = (variantName: string): FleetReport | undefined =>
    endpoint.fleets.findLast((fleet) => fleet.variantName === variantName)
  const variantRows = endpoint.variants.map((variant) => [
    variant.variantName,
    newest(variant.variantName)?.modelName ?? '-',
    variant.images.join(', ') || '-',
    newest(variant.variantName)?.instanceType ?? '-',
    formatWish(variant.currentInstanceCount, variant.desiredInstanceCount),
    formatWish(variant.currentWeight, variant.desiredWeight),
  ])
  if (variantRows.length > 0) {
    const headings = ['VARIANT', 'MODEL', 'IMAGE', 'TYPE', 'INSTANCES', 'WEIGHT']
    terminal.print(`\n${formatTable(headings, variantRows)}`)
  }
  printInstances(endpoint.fleets, terminal, age)
  printContainers(endpoint, terminal)
  printModels(endpoint, terminal, age)
  printGraphs(endpoint, terminal)
  terminal.print('')
  for (const event of endpoint.events.slice(0, EVENTS_SHOWN_MAX)) {
    terminal.print(
      `${age(event.atMs).padStart(4)} ago  ${style.cyan(event.kind)}  ${indent(event.reason)}`,
    )
  }
  const hiddenCount = endpoint.events.length - EVENTS_SHOWN_MAX
  if (hiddenCount > 0) terminal.print(`  … and ${hiddenCount} older events: --json`)
}

function printInstances(
  fleets: readonly FleetReport[],
  terminal: Terminal,
  age: (atMs: number | undefined) => string,
): void {
  const rows = fleets.flatMap(({ variantName, generation, instances }) =>
    instances.map((instance) => [
      instance.instanceId,
      `${variantName} (${generation ?? '?'})`,
      paintStatus(terminal.style, instance.state),
      String(instance.pid ?? '-'),
      age(instance.startedAtMs),
      instance.reason ?? '',
    ]),
  )
  const reason = rows.some((row) => row.at(-1) !== '') ? ['REASON'] : []
  const headings = ['INSTANCE', 'VARIANT (GENERATION)', 'HEALTH', 'PID', 'AGE', ...reason]
  if (rows.length > 0) terminal.print(`\n${formatTable(headings, rows)}`)
  for (const { variantName, startFailure } of fleets) {
    if (startFailure === undefined) continue
    terminal.print(terminal.style.red(`${variantName} does not start: ${startFailure}`))
  }
}

/** Of instances with several containers: each with its health, and what callers got from it. */
function printContainers({ fleets, containerMetrics }: EndpointReport, terminal: Terminal): void {
  const rows = fleets.flatMap(({ instances }) =>
    instances.flatMap(({ instanceId, containers }) =>
      containers.map((container) => [
        instanceId,
        container.hostname,
        paintStatus(terminal.style, container.state),
        String(container.pid ?? '-'),
        String(container.restartCount ?? '-'),
        container.reason?.split('\n')[0] ?? '',
      ]),
    ),
  )
  const reason = rows.some((row) => row.at(-1) !== '') ? ['REASON'] : []
  const headings = ['INSTANCE', 'CONTAINER', 'HEALTH', 'PID', 'RESTARTS', ...reason]
  if (rows.length > 0) terminal.print(`\n${formatTable(headings, rows)}`)
  const metricRows = containerMetrics.map((metrics) => [
    metrics.variantName,
    metrics.containerName,
    String(metrics.invocationCount ?? '-'),
    String(metrics.error4xxCount ?? '-'),
    String(metrics.error5xxCount ?? '-'),
    formatMicros(metrics.latencyMicros),
  ])
  const metricHeadings = ['VARIANT', 'CONTAINER', 'INVOCATIONS', '4XX', '5XX', 'LATENCY']
  if (metricRows.length > 0) terminal.print(`\n${formatTable(metricHeadings, metricRows)}`)
}

function printGraphs({ graphNodes }: EndpointReport, terminal: Terminal): void {
  const rows = graphNodes.map((node) => [
    node.containerHostname,
    node.node,
    String(node.answeredCount ?? '-'),
    String(node.failedCount ?? '-'),
    formatMicros(node.latencyMicros),
    formatMicros(node.latencyMicrosMax),
  ])
  const headings = ['GRAPH', 'NODE', 'ANSWERED', 'FAILED', 'MEAN', 'SLOWEST']
  if (rows.length > 0) terminal.print(`\n${formatTable(headings, rows)}`)
}

function formatMicros(micros: number | undefined): string {
  return micros === undefined ? '-' : `${(micros / 1000).toFixed(1)} ms`
}

function printPlatform(platform: PlatformReport, terminal: Terminal): void {
  const row = (role: string, process: Omit<ProcessReport, 'version'>, version = '-'): string[] => [
    role,
    String(process.pid ?? '-'),
    process.memoryBytes === undefined ? '-' : formatBytes(process.memoryBytes),
    process.uptimeMs === undefined ? '-' : formatAge(process.uptimeMs),
    version,
  ]
  terminal.print(`Berth ${platform.version ?? '?'} at ${platform.url ?? '?'}\n`)
  const rows = [
    row('control', platform.control, platform.control.version),
    ...platform.gateways.map((gateway) => row('gateway', gateway, gateway.version)),
    ...platform.instances.map((instance) => row(describeRole(instance), instance)),
    ...platform.warmPool.map((member) => row(`warm pool, ${member.state}`, member)),
  ]
  terminal.print(formatTable(['ROLE', 'PID', 'MEMORY', 'UPTIME', 'VERSION'], rows))
}

function describeRole(instance: InstanceReport): string {
  const { endpointName, variantName, containerHostname, state } = instance
  const role = containerHostname === undefined ? 'instance' : `container ${containerHostname}`
  return `${role} of ${endpointName ?? '?'}/${variantName ?? '?'}, ${state}`
}

/** Log lines quoted in a reason stay visibly part of it. */
function indent(reason: string): string {
  return reason.replaceAll('\n', '\n          ')
}

/** `2` when wish and fact agree, else `1 → 2`. */
function formatWish(current: number | undefined, desired: number | undefined): string {
  if (current === desired || desired === undefined) return String(current ?? '-')
  return `${current ?? '-'} → ${desired}`
}
