/** What the repository answers, as far as it is read here. */
export interface TritonReply {
  readonly outputs: readonly { readonly name: string; readonly data: readonly string[] }[]
}

/** The lines of text in an answer, from top to bottom. */
export function linesOf({ outputs }: TritonReply): readonly string[] {
  return outputs.find(({ name }) => name === 'TEXT')?.data ?? []
}
