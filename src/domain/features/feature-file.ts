/*
 * A feature table as a file: SQLite, one row a key. Written by `berth features load`, read by graphs; a file is never changed
 * but replaced by another, so readers hold one whole table at any time.
 */

/** What a column holds. SQLite keeps truth as 0 and 1, and lists as JSON text; this says what they were. */
export const COLUMN_KINDS = ['integer', 'real', 'text', 'boolean', 'json'] as const
/** One of {@link COLUMN_KINDS}. */
export type ColumnKind = (typeof COLUMN_KINDS)[number]

/** One column of a feature table. */
export interface FeatureColumn {
  readonly name: string
  readonly kind: ColumnKind
}

/** What a feature file says of itself. */
export interface FeatureHead {
  readonly key: FeatureColumn
  /** Without the key, in the order in which they were loaded. */
  readonly columns: readonly FeatureColumn[]
  readonly rowCount: number
}

/** SQLite's `application_id` of a feature file: "Bfea" in ASCII. */
export const FEATURE_FILE_ID = 0x42_66_65_61

/** Columns of one table, the key among them: SQLite's own limit is 2000. */
export const COLUMNS_MAX = 1000

/** SQL for a name of a column. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** SQL that makes the tables of an empty file. */
export function createTablesSql({ key, columns }: Omit<FeatureHead, 'rowCount'>): string {
  const others = columns.map(({ name }) => `, ${quoteName(name)}`).join('')
  const type = key.kind === 'integer' ? 'INTEGER' : 'TEXT'
  return `
    PRAGMA application_id = ${FEATURE_FILE_ID};
    CREATE TABLE features (${quoteName(key.name)} ${type} NOT NULL PRIMARY KEY${others}) WITHOUT ROWID;
    CREATE TABLE feature_columns (position INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL);
    CREATE TABLE feature_table (row_count INTEGER NOT NULL, loaded_at_ms INTEGER NOT NULL);
  `
}
