import type { JsonObject } from './json.ts'

/** Where the artifact of a container comes from. */
export type ModelDataSource =
  /** A gzip tar whose entries become the model directory (`ModelDataUrl`, or `S3Object` + `Gzip`). */
  | { readonly kind: 'archive'; readonly url: string }
  /** One object, copied under its own base name (`S3Object` + `None`). */
  | { readonly kind: 'object'; readonly url: string }
  /** Every object under a prefix that ends in `/`, relative paths kept (`S3Prefix` + `None`). */
  | { readonly kind: 'prefix'; readonly url: string }

/**
 * How invocations meet the several containers of a model: `Serial` hands what each answers to the next, `Direct` goes to
 * the one that the caller names.
 */
export type ExecutionMode = 'Serial' | 'Direct'

/** Image, environment and model data of something that answers `/ping` and `/invocations`. */
export interface Container {
  /** `primary` for a single container, else the declared hostname or `container-N`. */
  readonly hostname: string
  readonly image: string
  readonly environment: Readonly<Record<string, string>>
  readonly modelData: ModelDataSource | undefined
  /** Set when it serves many models, each loaded when it is asked for; there is no `modelData` then. */
  readonly multiModel?: MultiModelSource
}

/** Where the models of a multi-model container are. */
export interface MultiModelSource {
  /** Ends in `/`; a target model is a key below it. */
  readonly prefixUrl: string
  /** Whether models stay loaded after an invocation (`ModelCacheSetting`). */
  readonly isCaching: boolean
}

/** A named, immutable record of one or more containers and their model data. */
export interface Model {
  readonly name: string
  readonly arn: string
  readonly createdAtMs: number
  readonly containers: readonly Container[]
  /** Absent for a single container that is invoked as such. */
  readonly executionMode?: ExecutionMode
  /** What CreateModel was given, in its wire spelling and without tags: DescribeModel echoes it. */
  readonly request: JsonObject
}
