import type { RecordedResponse } from './exchange.ts'

/** Replaces what differs from run to run: clocks, durations, directories, traces of Python. */
export function maskResponse(response: RecordedResponse, directory: string): RecordedResponse {
  const { body } = response
  if (!('text' in body)) return response
  return { ...response, body: { text: maskText(body.text, directory) } }
}

/** Volatile parts of a text of the server, replaced. */
export function maskText(text: string, directory: string): string {
  return text
    .replaceAll(directory, '<dir>')
    .replaceAll(/"(last_inference|ns)":\d+/g, '"$1":0')
    .replaceAll(/(\\n|\n)+At:(\\n|\n).*?(?=",|"\}|;(\\n|\n)|$)/gs, '')
}
