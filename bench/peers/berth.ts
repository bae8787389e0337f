import { BenchBerth, makeDataDir } from '../harness/berth.ts'
import { signInvocations } from '../harness/invocations.ts'
import { ProcessTree } from '../harness/process-tree.ts'
import { ROW_COUNT } from '../harness/rows.ts'
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
    prepareRequests: () => signInvocations(berth, NAME),
    describeFailure: () => Promise.resolve('See the log of `berth up`.'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
