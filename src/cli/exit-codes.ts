/** How a command ends, for scripts: `--help`, the reference page and the code derive from this table. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: 'Done.' },
  failed: { code: 1, meaning: 'It ran, and what it was to achieve did not happen.' },
  usage: { code: 2, meaning: 'The command line or a file it names cannot be used.' },
  notFound: { code: 3, meaning: 'The endpoint or variant does not exist.' },
  unreachable: { code: 4, meaning: 'No Berth is running there, or it does not answer.' },
  modelError: { code: 5, meaning: 'The model answered an invocation with an error.' },
  interrupted: { code: 130, meaning: 'Stopped with Ctrl-C.' },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>

/** A key of {@link EXIT_CODES}. */
export type ExitReason = keyof typeof EXIT_CODES

/** The table as text for people. */
export function describeExitCodes(): string {
  const rows = Object.values(EXIT_CODES).map(
    ({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`,
  )
  return ['Exit codes:', ...rows].join('\n')
}
