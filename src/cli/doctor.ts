import { existsSync } from 'node:fs'
import { dataDirOf, readPlatformRecord } from './client/find-berth.ts'
import { describeImage } from './doctor/image.ts'
import { describeMachine } from './doctor/machine.ts'
import { describeModel } from './doctor/model.ts'
import { describePython } from './doctor/python.ts'
import { describeNetwork } from './doctor/network.ts'
import { ConfigError, environment, parseConfig } from '../platform/config.ts'
import { dataPathsOf } from '../platform/data-paths.ts'
import { OPTIONS } from '../platform/options.ts'
import { error } from './doctor/finding.ts'
import type { Finding } from './doctor/finding.ts'
import { describeRuntime } from './doctor/runtime.ts'
import type { ExitReason } from './exit-codes.ts'
import type { Terminal } from './terminal/terminal.ts'

/** Flags of `berth doctor`. */
export interface DoctorOptions {
  readonly dataDir?: string
  readonly host?: string
  readonly port?: string
  readonly json?: boolean
}

/** Prints one finding a line, with the cure; fails when one of them would stop serving. */
export async function runDoctor(
  subject: string | undefined,
  options: DoctorOptions,
  terminal: Terminal,
): Promise<ExitReason> {
  using progress = terminal.startProgress(`Looking at ${subject ?? 'this machine'}`)
  const findings =
    subject === undefined ? await describeInstallation(options) : await describeSubject(subject)
  progress.stop()
  if (options.json === true) terminal.printJson(findings)
  else for (const finding of findings) printFinding(finding, terminal)
  return findings.some(({ level }) => level === 'error') ? 'failed' : 'ok'
}

async function describeInstallation(options: DoctorOptions): Promise<Finding[]> {
  const paths = dataPathsOf(dataDirOf(options))
  const running = readPlatformRecord(paths)
  const config = readOptions(options)
  return [
    ...describeMachine(),
    ...config.findings,
    ...describeRuntime(paths),
    ...(await describeNetwork({ ...config, running })),
    ...(await describeModel(undefined)),
    await describePython(config.python),
  ]
}

/** Where `berth up` would listen, and what it would say of its options. */
function readOptions({ host, port }: DoctorOptions): {
  readonly host: string
  readonly port: number
  readonly python: string
  readonly findings: readonly Finding[]
} {
  try {
    const flags = { BERTH_HOST: host, BERTH_PORT: port }
    const config = parseConfig({ file: {}, environment: environment(), flags })
    return {
      host: config.BERTH_HOST,
      port: config.BERTH_PORT,
      python: config.BERTH_PYTHON,
      findings: [],
    }
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown
    const findings = thrown.problems.map((problem) => error('options', problem, 'Correct it.'))
    const { BERTH_HOST, BERTH_PORT, BERTH_PYTHON } = OPTIONS
    const python = BERTH_PYTHON.default
    return { host: BERTH_HOST.default, port: BERTH_PORT.default, python, findings }
  }
}

function describeSubject(subject: string): Promise<Finding[]> | Finding[] {
  const isPath = /^[./~]|\.(onnx|tar\.gz|tgz)$/i.test(subject) || existsSync(subject)
  return isPath ? describeModel(subject) : describeImage(subject)
}

function printFinding({ level, subject, message, cure }: Finding, terminal: Terminal): void {
  const { style } = terminal
  const paint = { ok: style.green, warn: style.yellow, error: style.red }[level]
  const line = `${paint(level.padEnd(5))} ${style.bold(subject)}: ${message}`
  terminal.print(cure === undefined ? line : `${line} ${style.cyan('→')} ${cure}`)
}
