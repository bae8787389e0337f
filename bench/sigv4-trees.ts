import { join, resolve } from 'node:path'
import type { Authenticator, SignedHead } from '../src/gateway/authenticate.ts'
import { systemClock } from '../src/platform/clock.ts'
import {
  copyRequest,
  cutRequest,
  type ReceivedRequest,
  recordSdkRequests,
  signBoto3Requests,
  SIGNING,
} from './harness/received.ts'

const ROUND_COUNT = 200
const WARM_UP_COUNT = 40
const USAGE = `Usage: node bench/sigv4-trees.ts DIRECTORY DIRECTORY …

Verifies the same invocations with the source trees of several directories in turn, in one process, and prints what one
takes: the tenth percentile and the median of ${ROUND_COUNT} rounds. For a machine where others work as well, and to see what
a single change is worth. Directories as \`git archive COMMIT src package.json | tar -x -C DIRECTORY\` makes them.`

interface Contender {
  readonly name: string
  readonly verify: (request: ReceivedRequest) => void
  readonly samplesUs: number[]
}

const directories = process.argv.slice(2)
if (directories.length === 0) {
  console.error(USAGE)
  process.exitCode = 2
} else {
  const traffic = { 'JavaScript SDK': await recordSdkRequests(), boto3: await signBoto3Requests() }
  for (const [client, requests] of Object.entries(traffic)) {
    for (const receive of [copyRequest, cutRequest]) {
      const contenders = await Promise.all(directories.map(loadContender))
      takeTurns(contenders, () => requests.map(receive))
      for (const contender of contenders) show(`${client}, ${receive.name}`, contender)
    }
  }
}

function takeTurns(
  contenders: readonly Contender[],
  receive: () => readonly ReceivedRequest[],
): void {
  for (let round = 0; round < ROUND_COUNT + WARM_UP_COUNT; round++) {
    const inTurn = round % 2 === 0 ? contenders : contenders.toReversed()
    for (const contender of inTurn) {
      const us = measureUs(contender, receive())
      if (round >= WARM_UP_COUNT) contender.samplesUs.push(us)
    }
  }
}

async function loadContender(directory: string): Promise<Contender> {
  const file = join(resolve(directory), 'src/gateway/authenticate.ts')
  // The class as it is in this tree; another one may lack what is not used here.
  const module = (await import(file)) as { readonly Authenticator: typeof Authenticator }
  const credentials = { ...SIGNING, sessionKey: Buffer.alloc(32), accountId: '000000000000' }
  const authenticator = new module.Authenticator(credentials, systemClock)
  const verify = ({ method, rawTarget, rawHeaders, body }: ReceivedRequest): void => {
    const head: SignedHead = { method, rawTarget, rawHeaders }
    authenticator.verifyBody(authenticator.verifyHead(head), body)
  }
  return { name: directory, verify, samplesUs: [] }
}

function measureUs({ verify }: Contender, received: readonly ReceivedRequest[]): number {
  const beginNs = process.hrtime.bigint()
  for (const request of received) verify(request)
  return Number(process.hrtime.bigint() - beginNs) / 1000 / received.length
}

function show(traffic: string, { name, samplesUs }: Contender): void {
  const sorted = samplesUs.toSorted((a, b) => a - b)
  const at = (share: number) => `${(sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2)} µs`
  console.log(`${traffic.padEnd(30)} p10 ${at(0.1)}  median ${at(0.5)}  ${name}`)
}
