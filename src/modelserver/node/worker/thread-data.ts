/** What decides which user code a thread loads, and what that code can import. */
export interface UserCodePlace {
  /** Folder of the model data. */
  readonly modelDirectory: string
  /** Where user code may be, best first. */
  readonly codeFolders: readonly string[]
  /** The file that was named, relative to one of the folders. */
  readonly program: string | undefined
  /** Names, without extension, of the file that is user code where none is named. */
  readonly defaultProgram: string
  /** Where its author is to write down dependencies, in messages. */
  readonly manifestName: string
  /** Folder with the `node_modules` of its dependencies, where they have been installed. */
  readonly packagesFolder: string | undefined
}
