/** Where a file lies: inside the model data, or at the path that a variable of the container holds. */
export type FilePlace =
  | { readonly kind: 'model-data'; readonly path: string }
  | { readonly kind: 'variable'; readonly name: string }

/** What every database may have. */
export interface DatabaseOptions {
  /** For one look-up, waiting included. */
  readonly timeoutMs: number
  /** Failures in a row after which it is left alone, and for how long. */
  readonly breaker: { readonly failureCount: number; readonly openMs: number }
}

/** A PostgreSQL server. Only names of variables: a secret in a description would be in the object store too. */
export interface PostgresDatabase extends DatabaseOptions {
  readonly kind: 'postgres'
  /** Of the container; holds `postgres://user@host:port/name`. */
  readonly urlVariable: string
  readonly passwordVariable: string | undefined
  readonly connectionsMax: number
  /** Look-ups that wait for a connection; more are refused. */
  readonly waitingMax: number
}

/** A file of SQLite, opened for reading. */
export interface SqliteDatabase extends DatabaseOptions {
  readonly kind: 'sqlite'
  readonly file: FilePlace
  /** Look-ups that run at the same time. */
  readonly threadCount: number
  readonly waitingMax: number
}

/** Rows by key, written by `berth features load`. */
export interface FeatureTable extends DatabaseOptions {
  readonly kind: 'features'
  readonly file: FilePlace
}

/** What look-ups read. */
export type Database = PostgresDatabase | SqliteDatabase | FeatureTable

/** What the caller of a graph is told when its input is refused. */
export interface Refusal {
  readonly message:
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'expression'; readonly expression: string }
  /** 400 to 499. */
  readonly status: number
}

/** How many rows a look-up answers with: exactly one, one or null, or a list. */
export const ROW_COUNTS = ['one', 'optional', 'all'] as const
/** One of {@link ROW_COUNTS}. */
export type RowCount = (typeof ROW_COUNTS)[number]

/** Asks a database by a query of its own language. */
export interface LookupNode {
  readonly kind: 'lookup'
  readonly database: string
  readonly query: string
  /** Expressions; bound as `$1`, `$2`, … and never made part of the query's text. */
  readonly parameters: readonly string[]
  readonly rows: RowCount
  /** More are an error, not a part of the answer. */
  readonly rowsMax: number
  /** Where one row is wanted and there is none. */
  readonly missing: Refusal | undefined
  /** Key of the input under which the answer is added; undefined answers with the rows alone. */
  readonly into: string | undefined
}

/** Reads precomputed features by key. */
export interface FeaturesNode {
  readonly kind: 'features'
  readonly database: string
  /** An expression: a key, or a list of keys. */
  readonly key: string
  /** Undefined takes all, in the order of the table. */
  readonly columns: readonly string[] | undefined
  /** Each row by column name, or as a list in the order of the columns: what models take. */
  readonly as: 'object' | 'list'
  /** For a key that the table does not have: values by column, null for those not named. */
  readonly defaults: Readonly<Record<string, string | number | boolean | null>> | undefined
  /** For a key that the table does not have, when there are no defaults. */
  readonly missing: Refusal | undefined
  readonly into: string | undefined
}
