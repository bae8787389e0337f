import { addressOfUrl } from '../harness/address.ts'
import { BenchBerth, makeDataDir } from '../harness/berth.ts'
import { ProcessTree } from '../harness/process-tree.ts'
import { type PlainRequest, signRequests } from '../harness/requests.ts'
import { encodeInstances, makeRows, ROW_COUNT } from '../harness/rows.ts'
import type { BerthBuild } from './berth-build.ts'
import type { BenchModel, Contestant, RunningServer } from './contestant.ts'

const NAME = 'mlp'

/** Berth as `berth up` starts it, every request signed for itself. */
export function berthContestant({ root, commit }: BerthBuild): Contestant {
  return {
    id: 'berth',
    label: 'Berth',
    settings: () => `${commit}, built, default settings, SigV4 on, ${ROW_COUNT} signed requests`,
    start: (model) => startBerth(root, model),
  }
}

async function startBerth(root: string, model: BenchModel): Promise<RunningServer> {
  await using started = new AsyncDisposableStack()
  const dataDir = started.use(await makeDataDir())
  const berth = started.use(await BenchBerth.start(dataDir.path, root))
  await berth.registerModel(NAME, model.path)
  await berth.createEndpoint(NAME)
  const tree = new ProcessTree(berth.running.pid)
  const { url } = berth.running
  const owned = started.move()
  return {
    url,
    tree,
    prepareRequests: () => signRequests(addressOfUrl(url), plainRequests(), signingOf(berth)),
    describeFailure: () => Promise.resolve('See the log of `berth up`.'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function plainRequests(): PlainRequest[] {
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  const path = `/endpoints/${NAME}/invocations`
  return makeRows().map((row) => ({ method: 'POST', path, headers, body: encodeInstances(row) }))
}

function signingOf({ environment }: BenchBerth) {
  return {
    accessKeyId: environment.AWS_ACCESS_KEY_ID,
    secretAccessKey: environment.AWS_SECRET_ACCESS_KEY,
    region: environment.AWS_REGION,
    service: 'sagemaker',
  }
}
