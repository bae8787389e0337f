import type { BerthTarget } from '../client/find-berth.ts'
import { readLines } from '../client/read-lines.ts'
import { signedFetch } from '../client/signed-fetch.ts'
import { parseJson, textField } from '../json.ts'

/** What an instance that makes its Python environment is doing, as its log says; `undefined` when it does something else. */
export async function findInstallationStep(
  target: BerthTarget,
  endpointName: string,
): Promise<string | undefined> {
  try {
    const path = `/berth/endpoints/${encodeURIComponent(endpointName)}/logs`
    const response = await signedFetch(target, { path, query: { lines: '1', follow: 'false' } })
    if (response.body === null) return undefined
    let step: string | undefined
    for await (const line of readLines(response.body)) {
      const logged = parseJson(textField(parseJson(line), 'text') ?? '')
      const event = textField(logged, 'msg') ?? ''
      if (event.startsWith('python environment')) step = textField(logged, 'step') ?? event
    }
    return step
  } catch {
    // It is only for people to look at while they wait.
    return undefined
  }
}
