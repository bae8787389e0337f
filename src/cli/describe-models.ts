import { formatBytes } from '../platform/format-bytes.ts'
import type { EndpointReport } from './client/reports.ts'
import type { InstanceModelsReport, ModelMetricsReport } from './client/models-report.ts'
import { numberField, textField } from './json.ts'
import { formatTable } from './terminal/table.ts'
import type { Terminal } from './terminal/terminal.ts'

const MODELS_SHOWN_MAX = 20
const EVICTIONS_SHOWN_MAX = 5

/** Of a multi-model endpoint: what is loaded where, what is held back, and why the last ones were evicted. */
export function printModels(
  { models, events }: EndpointReport,
  terminal: Terminal,
  age: (atMs: number | undefined) => string,
): void {
  if (models === undefined) return
  printTable(
    terminal,
    ['VARIANT', 'LOADED', 'HITS', 'WAIT FOR A LOAD', 'LOADS', 'LOAD', 'UNLOADS'],
    models.metrics.map((metrics) => metricsRow(metrics, models.instances)),
  )
  printTable(
    terminal,
    ['INSTANCE', 'LOADED', 'MEMORY', 'OF'],
    models.instances.map(({ instanceId, models: loaded, memoryBytes, memoryBytesMax }) => [
      instanceId,
      String(loaded.length),
      bytesOf(memoryBytes),
      bytesOf(memoryBytesMax),
    ]),
  )
  printLoaded(models.instances, terminal)
  printTable(
    terminal,
    ['HELD BACK', 'INSTANCE', 'FOR', 'REASON'],
    models.instances.flatMap(({ instanceId, quarantined }) =>
      quarantined.map(({ targetModel, waitMs, reason }) => [
        targetModel,
        instanceId,
        waitMs === undefined ? '-' : `${Math.ceil(waitMs / 1000)}s`,
        reason.split('\n')[0] ?? '',
      ]),
    ),
  )
  const evictions = events.filter(({ kind }) => kind === 'model-evicted')
  printTable(
    terminal,
    ['EVICTED', 'AGO', 'FOR', 'USES', 'IDLE', 'RELOAD', 'MEMORY', 'BECAUSE'],
    evictions
      .slice(0, EVICTIONS_SHOWN_MAX)
      .map(({ atMs, inputs }) => [
        textField(inputs, 'targetModel') ?? '?',
        age(atMs),
        textField(inputs, 'forModel') ?? '?',
        String(numberField(inputs, 'uses') ?? '-'),
        msOf(numberField(inputs, 'idleMs')),
        msOf(numberField(inputs, 'reloadMs')),
        bytesOf(numberField(inputs, 'bytes')),
        textField(inputs, 'why') ?? '',
      ]),
  )
}

// Those that stay the longest first: pinned, then by their uses.
function printLoaded(instances: readonly InstanceModelsReport[], terminal: Terminal): void {
  const loaded = instances
    .flatMap(({ instanceId, models }) => models.map((model) => ({ ...model, instanceId })))
    .toSorted((a, b) => Number(b.isPinned) - Number(a.isPinned) || (b.uses ?? 0) - (a.uses ?? 0))
  const rows = loaded
    .slice(0, MODELS_SHOWN_MAX)
    .map(({ targetModel, instanceId, memoryBytes, uses, loadMs, isPinned }) => [
      targetModel,
      instanceId,
      bytesOf(memoryBytes),
      String(uses ?? '-'),
      msOf(loadMs),
      isPinned ? 'pinned' : '',
    ])
  const pinned = rows.some((row) => row.at(-1) !== '') ? [''] : []
  printTable(terminal, ['MODEL', 'INSTANCE', 'MEMORY', 'USES OF LATE', 'LOAD', ...pinned], rows)
  const hiddenCount = loaded.length - rows.length
  if (hiddenCount > 0) terminal.print(`  … and ${hiddenCount} that are used less: --json`)
}

function metricsRow(
  { variantName, hitShare, waitMicros, loadCount, loadMicros, unloadCount }: ModelMetricsReport,
  instances: readonly InstanceModelsReport[],
): string[] {
  const loadedCount = instances
    .filter((instance) => instance.variantName === variantName)
    .reduce((sum, { models }) => sum + models.length, 0)
  return [
    variantName,
    String(loadedCount),
    hitShare === undefined ? '-' : `${(hitShare * 100).toFixed(1)} %`,
    msOf(waitMicros === undefined ? undefined : waitMicros / 1000),
    String(loadCount ?? '-'),
    msOf(loadMicros === undefined ? undefined : loadMicros / 1000),
    String(unloadCount ?? '-'),
  ]
}

function printTable(
  terminal: Terminal,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  if (rows.length > 0) terminal.print(`\n${formatTable(headings, rows)}`)
}

function msOf(ms: number | undefined): string {
  return ms === undefined ? '-' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
}

function bytesOf(bytes: number | undefined): string {
  return bytes === undefined ? '-' : formatBytes(bytes)
}
