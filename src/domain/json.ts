/** A value that JSON can hold. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined }

/** A JSON object whose members may be absent. */
export type JsonObject = { readonly [key: string]: JsonValue | undefined }
