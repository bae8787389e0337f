// A line of a log is bounded where it is written; this bounds what a broken stream can make us hold.
const LINE_CHARS_MAX = 1_048_576

/** The lines of a UTF-8 stream as they arrive, without their ends; empty lines are skipped. */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = (lines.pop() ?? '').slice(0, LINE_CHARS_MAX)
    for (const line of lines) if (line !== '') yield line
  }
  if (rest !== '') yield rest
}
