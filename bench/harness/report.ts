import type { Provenance } from './machine.ts'

/** One table of results. */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** What one bench found, with how it was measured. */
export interface Section {
  readonly title: string
  /** Markdown paragraphs before the table. */
  readonly text: string
  readonly tables: readonly Table[]
}

/** The whole of a page of results; `command` is what wrote it. */
export function renderReport(
  title: string,
  command: string,
  provenance: Provenance,
  sections: readonly Section[],
): string {
  const head = [
    `# ${title}`,
    `Written by \`${command}\`; not edited by hand. Ratios travel to other machines, absolutes do not.`,
    renderTable({
      columns: ['Commit', 'Date', 'Machine', 'Node'],
      rows: [[provenance.commit, provenance.date, provenance.machine, provenance.node]],
    }),
  ]
  const body = sections.map(({ title, text, tables }) =>
    [`## ${title}`, text, ...tables.map(renderTable)].join('\n\n'),
  )
  return `${[...head, ...body].join('\n\n')}\n`
}

export function renderTable({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  // Numbers to the right, so that digits stand under digits.
  const isNumeric = (column: number) =>
    rows.every((cells) => /^[\d.-]+( |$)/.test(cells[column] ?? ''))
  const rule = columns.map((_, column) => (isNumeric(column) ? '---:' : '---'))
  return [line(columns), line(rule), ...rows.map(line)].join('\n')
}

export function formatMs(us: number): string {
  return `${(us / 1000).toFixed(2)} ms`
}

export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function formatMib(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`
}
