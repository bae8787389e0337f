import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { StartFailure } from '../../start-failure.ts'

/** A Python that was found, and what it has. */
export interface Interpreter {
  /** Absolute path of the executable. */
  readonly path: string
  /** `3.11.7`. */
  readonly version: string
  /** Folders of its packages, its own first, then those of its base. */
  readonly packageFolders: readonly string[]
  readonly hasNumpy: boolean
  /** Names of installed packages, in the normal form of package indexes. */
  readonly packageNames: readonly string[]
  /** Named by the operator: what is installed in it is meant to be used. */
  readonly isChosen: boolean
}

const MINOR_MIN = 9
const PROBE_MS_MAX = 30_000
const PROBE = `
import importlib.metadata, importlib.util, json, re, sys, sysconfig
numpy = importlib.util.find_spec("numpy") is not None
own = sysconfig.get_path("purelib")
folders = [own] + [path for path in sys.path if path.endswith("-packages") and path != own]
names = {re.sub(r"[-_.]+", "-", found.metadata["Name"] or "").lower() for found in importlib.metadata.distributions()}
print(json.dumps([sys.executable, list(sys.version_info[:3]), folders, numpy, sorted(names)]))`

/**
 * The Python to serve with: the operator's, else `python3` of the path.
 *
 * @throws StartFailure `pythonMissing`: there is none, or it is too old.
 */
export async function findInterpreter(
  chosen: string | undefined,
  environment: Readonly<Record<string, string>>,
): Promise<Interpreter> {
  const command = chosen ?? 'python3'
  const found = await probe(command, environment)
  if (found.major === 3 && found.minor >= MINOR_MIN)
    return { ...found, isChosen: chosen !== undefined }
  const cure = `berth/python needs Python 3.${MINOR_MIN} or newer: install it, or name one with BERTH_PYTHON.`
  throw new StartFailure('pythonMissing', `${command} is Python ${found.version}. ${cure}`)
}

async function probe(command: string, env: Readonly<Record<string, string>>) {
  try {
    const options = { env, timeout: PROBE_MS_MAX }
    const { stdout } = await promisify(execFile)(command, ['-I', '-c', PROBE], options)
    const parsed: unknown = JSON.parse(stdout)
    if (!Array.isArray(parsed)) throw new Error(`it printed ${stdout}`)
    const [path, version, packageFolders, hasNumpy, names] = parsed.map((value: unknown) => value)
    const [major = 0, minor = 0, micro = 0] = Array.isArray(version) ? version.map(Number) : []
    return {
      path: String(path),
      major,
      minor,
      version: `${major}.${minor}.${micro}`,
      packageFolders: Array.isArray(packageFolders) ? packageFolders.map(String) : [],
      hasNumpy: hasNumpy === true,
      packageNames: Array.isArray(names) ? names.map(String) : [],
    }
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    const cure = `berth/python needs Python 3.${MINOR_MIN} or newer: install it, or name one with BERTH_PYTHON.`
    throw new StartFailure('pythonMissing', `${command} cannot be run (${reason}). ${cure}`)
  }
}
