/** Which versions of a model are served. */
export type VersionPolicy =
  | { readonly kind: 'latest'; readonly count: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'specific'; readonly versions: readonly number[] }

/**
 * Parses the name of a version directory.
 *
 * ```text
 * 1 → 1    0 → 0    01 → undefined: a leading zero    one, 1a, -1 → undefined
 * ```
 */
export function parseVersionName(name: string): number | undefined {
  if (!/^(0|[1-9]\d{0,14})$/.test(name)) return undefined
  return Number(name)
}

/** Chooses the versions to serve, ascending; those that a policy lists and nobody has are left out. */
export function chooseVersions(
  policy: VersionPolicy,
  present: readonly number[],
): readonly number[] {
  const ascending = [...new Set(present)].toSorted((a, b) => a - b)
  switch (policy.kind) {
    case 'all':
      return ascending
    case 'latest':
      return ascending.slice(-Math.max(1, policy.count))
    case 'specific':
      return ascending.filter((version) => policy.versions.includes(version))
  }
}
