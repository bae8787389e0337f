import { once } from 'node:events'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import type { PlatformRecord } from '../client/find-berth.ts'
import { textField } from '../json.ts'
import { error, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

interface NetworkQuestion {
  readonly host: string
  readonly port: number
  readonly running: PlatformRecord | undefined
}

const CLOCK_SKEW_MS_MAX = 60_000
const ANSWER_MS_MAX = 3000

/** Whether the port is free, or held by whom; and whether the running Berth answers with the same time. */
export async function describeNetwork(question: NetworkQuestion): Promise<Finding[]> {
  const { running } = question
  const findings = [await describePort(question)]
  if (running !== undefined) findings.push(await describeRunning(running))
  return findings
}

async function describePort({ host, port, running }: NetworkQuestion): Promise<Finding> {
  const subject = `port ${port}`
  const code = await tryListen(host, port)
  if (code === undefined) return ok(subject, `Free on ${host}.`)
  if (code !== 'EADDRINUSE') {
    const message = `Cannot be opened on ${host} (${code}).`
    return error(subject, message, 'Choose others with --host and --port.')
  }
  if (running !== undefined && new URL(running.url).port === String(port)) {
    return ok(subject, 'Held by the Berth of this data directory.')
  }
  const holder = findHolder(port)
  return error(
    subject,
    `Held by ${holder ?? 'another program'}.`,
    'Stop it, or choose another: berth up --port 0',
  )
}

async function tryListen(host: string, port: number): Promise<string | undefined> {
  const server = createServer()
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    return undefined
  } catch (cause) {
    return textField(cause, 'code') ?? String(cause)
  } finally {
    server.close()
  }
}

/** Pid and name of the process that listens on the port; only Linux says, and only of processes one may see. */
function findHolder(port: number): string | undefined {
  try {
    const inode = findListenerInode(port)
    if (inode === undefined) return undefined
    const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && holdsSocket(name, inode))
    return pid === undefined
      ? undefined
      : `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`
  } catch {
    return undefined
  }
}

// A row of /proc/net/tcp: `sl local_address rem_address st … inode`, ports in hexadecimal, state 0A is LISTEN.
function findListenerInode(port: number): string | undefined {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    readFileSync(path, 'utf8').trim().split('\n').slice(1),
  )
  const cells = rows.map((row) => row.trim().split(/\s+/))
  return cells.find((row) => row[1]?.endsWith(`:${hexPort}`) === true && row[3] === '0A')?.[9]
}

function holdsSocket(pid: string, inode: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`
    return readdirSync(folder).some((fd) => readlinkSync(`${folder}/${fd}`) === `socket:[${inode}]`)
  } catch {
    // Ended meanwhile, or not ours to look into.
    return false
  }
}

async function describeRunning(running: PlatformRecord): Promise<Finding> {
  const subject = 'running berth'
  try {
    const response = await fetch(running.url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    await response.body?.cancel()
    const skewMs = Math.abs(Date.parse(response.headers.get('date') ?? '') - Date.now())
    if (skewMs > CLOCK_SKEW_MS_MAX) {
      const message = `${running.url} has a clock that is ${Math.round(skewMs / 1000)} s off.`
      return warn(subject, message, 'Set both clocks: signatures are valid for minutes.')
    }
    return ok(subject, `${running.url} answers (version ${running.version ?? 'unknown'}).`)
  } catch (cause) {
    const code = textField(cause instanceof Error ? cause.cause : undefined, 'code') ?? 'no answer'
    const message = `${running.url} is recorded and does not answer (${code}).`
    return warn(subject, message, 'It was killed: berth up takes over what it left.')
  }
}
