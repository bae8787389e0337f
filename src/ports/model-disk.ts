import type { ModelDataSource } from '../domain/model.ts'

/** The files of a model on the disk, shared and read-only. */
export interface ModelFiles {
  readonly directory: string
  readonly contentHash: string
  /** Sum of the files. */
  readonly bytes: number
}

/** How files come to the disk. */
export interface FilesArrival {
  readonly signal: AbortSignal
  /** Called before so many bytes more are written; rejects when there is no room for them. */
  readonly admitBytes: (bytes: number) => Promise<void>
}

/** The part of the disk that models of multi-model endpoints are loaded from. Files are known by their content. */
export interface ModelDisk {
  /** Makes the files of an archive available: those that are there already, or downloaded and unpacked. */
  prepare(
    source: ModelDataSource & { readonly kind: 'archive' },
    arrival: FilesArrival,
  ): Promise<ModelFiles>
  /** What the files take of the disk, measured; 0 when they are not there. */
  measureBytes(contentHash: string): Promise<number>
  /** @returns false when somebody else uses them, or was given them a moment ago: then they stay. */
  remove(contentHash: string): Promise<boolean>
  /** What is there and used by nobody else: of an earlier life, as far as the caller does not know it. */
  listUnused(): Promise<readonly { readonly contentHash: string; readonly bytes: number }[]>
}
