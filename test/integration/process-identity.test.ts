import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import { ensurePythonEnvironment } from '../../scripts/python-env.ts'
import { findProcess, isRunning } from '../../src/platform/process-identity.ts'
import { until } from '../support/until.ts'

const python = await ensurePythonEnvironment()
const notHere = 'skipped' in python ? python.skipped : false
const reason = process.platform === 'linux' ? notHere : 'reads /proc'

// What every killed process with several threads goes through, here for as long as the test wants: the first has ended, and
// the others keep memory, files and sockets open.
const PROGRAM = `
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).pthread_exit(None)`

test(
  'a process lives until its last thread has ended, and not as a zombie',
  { skip: reason },
  async () => {
    if ('skipped' in python) return
    const child = spawn(python.python, ['-c', PROGRAM], { stdio: ['pipe', 'ignore', 'inherit'] })
    const pid = child.pid ?? 0
    const started = findProcess(pid)
    assert.ok(started)
    await until('its first thread to end', () =>
      / \(.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')),
    )
    assert.deepEqual(findProcess(pid), started)
    assert.ok(isRunning(started))
    const ended = once(child, 'exit')
    child.stdin.end()
    await ended
    assert.equal(isRunning(started), false)
    assert.equal(findProcess(pid), undefined)
  },
)
