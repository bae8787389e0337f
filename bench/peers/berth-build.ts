import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { packageRoot } from '../harness/berth.ts'

const run = promisify(execFile)

/** A built Berth in a folder of its own, gone afterwards. */
export interface BerthBuild extends AsyncDisposable {
  readonly root: string
  readonly commit: string
}

/** Builds a commit apart from the working tree: whoever edits there while this measures changes nothing. */
export async function buildBerth(ref: string): Promise<BerthBuild> {
  const { stdout } = await run('git', ['-C', packageRoot, 'rev-parse', '--short=12', ref])
  const commit = stdout.trim()
  const root = await mkdtemp(join(tmpdir(), 'berth-build-'))
  const build = {
    root,
    commit,
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  }
  try {
    const archive = join(root, 'tree.tar')
    await run('git', ['-C', packageRoot, 'archive', `--output=${archive}`, commit])
    await run('tar', ['-xf', archive, '-C', root])
    await rm(archive)
    await symlink(join(packageRoot, 'node_modules'), join(root, 'node_modules'))
    await run(process.execPath, [join(root, 'scripts', 'build.ts')])
    return build
  } catch (error) {
    await build[Symbol.asyncDispose]()
    throw error
  }
}
