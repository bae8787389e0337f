import { ImageServer } from './image-server.ts'
import type { ImageServerOptions } from './image-server.ts'

/** What a model server of `berth/python` is started with. */
export interface PythonServerOptions extends ImageServerOptions {
  /** Python's executable; `undefined` leaves the choice to the server. */
  readonly python: string | undefined
}

/** A model server of `berth/python`. */
export class PythonServer extends ImageServer {
  constructor({ python, arguments: args = [], ...options }: PythonServerOptions) {
    const chosen = python === undefined ? [] : [`--python=${python}`]
    super('berth/python', { ...options, arguments: [...chosen, ...args] })
  }
}
