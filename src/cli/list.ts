import { DescribeEndpointCommand, paginateListEndpoints } from '@aws-sdk/client-sagemaker'
import type {
  DescribeEndpointOutput,
  EndpointSummary,
  SageMakerClient,
} from '@aws-sdk/client-sagemaker'
import { createSageMakerClient } from './client/aws-clients.ts'
import { findBerth } from './client/find-berth.ts'
import type { TargetOptions } from './client/find-berth.ts'
import type { ExitReason } from './exit-codes.ts'
import { isNotFound } from './failure.ts'
import { paintStatus } from './terminal/style.ts'
import { formatAge, formatTable } from './terminal/table.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Flags of `berth list`. */
export interface ListOptions extends TargetOptions {
  readonly limit: number
  readonly json?: boolean
}

interface Row {
  readonly name: string
  readonly status: string
  readonly variants: readonly string[]
  readonly instances: number
  readonly createdAt: Date | undefined
}

// Requests at a time: enough that a hundred endpoints take a moment, few enough to be one polite client.
const CONCURRENT_MAX = 8

/** Prints one line per endpoint, newest first. */
export async function runList(options: ListOptions, terminal: Terminal): Promise<ExitReason> {
  const client = await createSageMakerClient(findBerth(options))
  using progress = terminal.startProgress('Listing endpoints')
  const summaries = await listSummaries(client, options.limit)
  const rows: Row[] = []
  for (let at = 0; at < summaries.length; at += CONCURRENT_MAX) {
    progress.update(`Describing endpoints (${at} of ${summaries.length})`)
    const slice = summaries.slice(at, at + CONCURRENT_MAX)
    rows.push(...(await Promise.all(slice.map((summary) => describe(client, summary)))))
  }
  progress.stop()
  if (options.json === true) terminal.printJson(rows)
  else printRows(rows, terminal)
  if (rows.length === options.limit)
    terminal.note(`There may be more: raise --limit ${options.limit}.`)
  return 'ok'
}

async function listSummaries(client: SageMakerClient, limit: number): Promise<EndpointSummary[]> {
  const summaries: EndpointSummary[] = []
  const pages = paginateListEndpoints(
    { client, pageSize: Math.min(100, Math.max(1, limit)) },
    { SortBy: 'CreationTime', SortOrder: 'Descending' },
  )
  for await (const page of pages) {
    summaries.push(...(page.Endpoints ?? []))
    if (summaries.length >= limit) break
  }
  return summaries.slice(0, limit)
}

async function describe(client: SageMakerClient, summary: EndpointSummary): Promise<Row> {
  const found = await findEndpoint(client, summary.EndpointName ?? '')
  const variants = found?.ProductionVariants ?? []
  return {
    name: summary.EndpointName ?? '?',
    status: found?.EndpointStatus ?? summary.EndpointStatus ?? '?',
    variants: variants.map(({ VariantName }) => VariantName ?? '?'),
    instances: variants.reduce(
      (sum, { CurrentInstanceCount }) => sum + (CurrentInstanceCount ?? 0),
      0,
    ),
    createdAt: summary.CreationTime,
  }
}

async function findEndpoint(
  client: SageMakerClient,
  name: string,
): Promise<DescribeEndpointOutput | undefined> {
  try {
    return await client.send(new DescribeEndpointCommand({ EndpointName: name }))
  } catch (error) {
    // Deleted between the list and this look: shown as the list saw it.
    if (isNotFound(error)) return undefined
    throw error
  }
}

function printRows(rows: readonly Row[], terminal: Terminal): void {
  if (rows.length === 0) {
    terminal.note('There are no endpoints. Make one: berth deploy PATH')
    return
  }
  const nowMs = Date.now()
  const cells = rows.map((row) => [
    row.name,
    paintStatus(terminal.style, row.status),
    row.variants.join(','),
    String(row.instances),
    row.createdAt === undefined ? '-' : formatAge(nowMs - row.createdAt.getTime()),
  ])
  terminal.print(formatTable(['NAME', 'STATUS', 'VARIANTS', 'INSTANCES', 'AGE'], cells))
}
