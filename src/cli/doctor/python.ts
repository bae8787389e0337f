import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

const MINOR_MIN = 9
const ANSWER_MS_MAX = 10_000
const PROBE =
  'import sys, importlib.util; print(*sys.version_info[:3], importlib.util.find_spec("ensurepip") is not None)'

/** Whether this machine can serve with `berth/python`; without it everything else works. */
export async function describePython(python: string): Promise<Finding> {
  const cure = `For berth/python: install Python 3.${MINOR_MIN} or newer, or name one with BERTH_PYTHON.`
  try {
    const options = { timeout: ANSWER_MS_MAX }
    const { stdout } = await promisify(execFile)(python, ['-I', '-c', PROBE], options)
    const [major = '', minor = '', micro = '', canMake] = stdout.trim().split(' ')
    const version = `${python} is Python ${major}.${minor}.${micro}`
    if (major !== '3' || Number(minor) < MINOR_MIN) return warn('python', `${version}.`, cure)
    if (canMake === 'True') return ok('python', `${version}.`)
    const message = `${version}, and cannot make virtual environments.`
    return warn('python', message, 'On Debian and Ubuntu: apt install python3-venv.')
  } catch {
    return warn('python', `${python} cannot be run.`, cure)
  }
}
