import { z } from 'zod'
import { ROW_COUNTS } from '../../domain/graph/database.ts'
import type { Database, DatabaseOptions, FilePlace } from '../../domain/graph/database.ts'
import {
  BREAKER,
  commonOf,
  EXPRESSION,
  filled,
  isWithin,
  NAME,
  TIMEOUT_MS,
} from './common-schema.ts'
import type { Kind, Ref } from './common-schema.ts'
import { REFUSAL_FIELDS, requireOneMessage, toRefusal } from './refusal-schema.ts'

/*
 * Databases of a graph and the nodes that read them. Where a secret is needed, the name of a variable is written: the
 * description lies in the object store, and is shown to whoever may read the model.
 */

const DATABASES_MAX = 16
const PARAMETERS_MAX = 100
const COLUMNS_MAX = 1000
const NOT_FOUND = 404

const VARIABLE = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'the name of a variable of the container')
const FILE = z
  .string()
  .regex(
    /^(?!\/)(?!(.*\/)?\.\.(\/|$)).{1,255}$/,
    'a path inside the model data; for another place name a variable with fileVariable',
  )
const COLUMN = z.string().min(1).max(128)
const ROWS_MAX = z.int().min(1).max(100_000).default(1000)
const WAITING_MAX = z.int().min(0).max(100_000).default(100)

const SHARED = {
  timeoutMs: TIMEOUT_MS.default(1000).describe('For one look-up, waiting included'),
  breaker: BREAKER.prefault({}),
}
const FILE_FIELDS = {
  file: FILE.optional().describe('Path inside the model data'),
  fileVariable: VARIABLE.optional().describe('Variable of the container that holds the path'),
}

interface RawFile {
  readonly file?: string | undefined
  readonly fileVariable?: string | undefined
}

function requireOneFile(raw: RawFile, issue: z.RefinementCtx): void {
  if ((raw.file === undefined) !== (raw.fileVariable === undefined)) return
  issue.addIssue({ code: 'custom', message: 'Give either file or fileVariable.' })
}

function toPlace({ file, fileVariable }: RawFile): FilePlace {
  return fileVariable === undefined
    ? { kind: 'model-data', path: file ?? '' }
    : { kind: 'variable', name: fileVariable }
}

function optionsOf({ timeoutMs, breaker }: DatabaseOptions): DatabaseOptions {
  return { timeoutMs, breaker }
}

const POSTGRES = z
  .strictObject({
    urlVariable: VARIABLE.describe('Variable that holds postgres://user@host:port/name'),
    passwordVariable: VARIABLE.optional().describe('Variable that holds the password'),
    connectionsMax: z.int().min(1).max(100).default(4),
    waitingMax: WAITING_MAX.describe('Look-ups that may wait for a connection'),
    ...SHARED,
  })
  .transform(({ passwordVariable, ...raw }): Database => ({
    kind: 'postgres',
    ...raw,
    passwordVariable,
  }))
const SQLITE = z
  .strictObject({
    ...FILE_FIELDS,
    threads: z.int().min(1).max(16).default(1).describe('Look-ups at the same time'),
    waitingMax: WAITING_MAX.describe('Look-ups that may wait for a thread'),
    ...SHARED,
  })
  .superRefine(requireOneFile)
  .transform((raw): Database => {
    const { threads: threadCount, waitingMax } = raw
    return { kind: 'sqlite', file: toPlace(raw), threadCount, waitingMax, ...optionsOf(raw) }
  })
const FEATURES = z
  .strictObject({ ...FILE_FIELDS, ...SHARED })
  .superRefine(requireOneFile)
  .transform((raw): Database => ({ kind: 'features', file: toPlace(raw), ...optionsOf(raw) }))

const DATABASE = z.union([
  z.strictObject({ postgres: POSTGRES }).transform(({ postgres }) => postgres),
  z.strictObject({ sqlite: SQLITE }).transform(({ sqlite }) => sqlite),
  z.strictObject({ features: FEATURES }).transform(({ features }) => features),
])

/** What look-ups read, by name. */
export const DATABASES = z
  .record(NAME, DATABASE)
  .refine((databases) => isWithin(databases, 0, DATABASES_MAX), `at most ${DATABASES_MAX}`)
  .default({})
  .describe('Databases that nodes read, by name')

const MISSING = z
  .strictObject(REFUSAL_FIELDS)
  .superRefine(requireOneMessage)
  .transform((raw) => toRefusal(raw, NOT_FOUND))
  .describe('What the caller is told where there is none; status 404 unless another is given')
const INTO = COLUMN.describe('Adds what was found to the input under this key')

/** Nodes that read databases. */
export function dataKinds(ref: Ref): Readonly<Record<'lookup' | 'features', Kind>> {
  const common = commonOf(ref)
  const lookup = z
    .strictObject({
      database: NAME,
      query: z.string().min(1).max(65_536).describe('SQL; its parameters are $1, $2, …'),
      parameters: z
        .array(EXPRESSION)
        .max(PARAMETERS_MAX)
        .default([])
        .describe('Values of $1, $2, …'),
      rows: z.enum(ROW_COUNTS).default('one').describe('One row, one or null, or a list'),
      rowsMax: ROWS_MAX.describe('More rows are an error'),
      missing: MISSING.optional(),
      into: INTO.optional(),
    })
    .transform(({ missing, into, ...raw }) => ({ ...raw, missing, into }))
    .describe('Asks a database')
  const features = z
    .strictObject({
      database: NAME,
      key: EXPRESSION.describe('Gives a key, or a list of keys'),
      columns: z.array(COLUMN).min(1).max(COLUMNS_MAX).optional().describe('Default: all'),
      as: z
        .enum(['object', 'list'])
        .default('object')
        .describe('By column name, or in their order'),
      defaults: z
        .record(COLUMN, z.union([z.string(), z.number(), z.boolean(), z.null()]))
        .optional()
        .describe('Stand in for a key that is not there'),
      missing: MISSING.optional(),
      into: INTO.optional(),
    })
    .transform(({ columns, defaults, missing, into, ...raw }) => {
      return { ...raw, columns, defaults, missing, into }
    })
    .describe('Reads precomputed features by key')
  return {
    lookup: z.strictObject({ lookup, ...common }).transform(({ lookup: raw, ...options }) => {
      return { kind: 'lookup' as const, ...filled(options), ...raw }
    }),
    features: z.strictObject({ features, ...common }).transform(({ features: raw, ...options }) => {
      return { kind: 'features' as const, ...filled(options), ...raw }
    }),
  }
}
