#!/usr/bin/env node
// Finds a Node that can run Berth, then the built program or, in a checkout, the source. Plain JavaScript that
// Node 18 can parse: it has to say what is missing on machines where nothing else here would load.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NODE_MAJOR_MIN = 24
const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..')

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) await start()
else startWithNewerNode()

async function start() {
  nodeModule.enableCompileCache()
  await import(pathToFileURL(chooseProgram()).href)
}

/** The built program, unless this is a checkout whose source is newer. */
function chooseProgram() {
  const source = join(packageRoot, 'src/cli/main.ts')
  const built = join(packageRoot, 'dist/cli/main.js')
  if (!existsSync(source)) return built
  const builtAtMs = statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const inputs = ['src', 'package.json', 'package-lock.json'].map((name) => join(packageRoot, name))
  return inputs.some((path) => isNewer(path, builtAtMs)) ? source : built
}

/** Whether a file, or anything in a folder, changed after the time. Folders count: a file may be gone. */
function isNewer(path, timeMs) {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return false
  if (found.mtimeMs > timeMs) return true
  return found.isDirectory() && readdirSync(path).some((name) => isNewer(join(path, name), timeMs))
}

function startWithNewerNode() {
  const newer = findNode()
  if (newer === undefined) {
    process.stderr.write(
      `Berth needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.version} and the package that brings one ` +
        `is not installed.\nInstall Node ${NODE_MAJOR_MIN}, or run npm install again without --omit=optional.\n`,
    )
    process.exitCode = 1
    return
  }
  const args = [fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  if (typeof process.execve === 'function') process.execve(newer, [newer, ...args], process.env)
  relay(newer, args)
}

/** The Node that npm installed beside this package, nested or hoisted. */
function findNode() {
  const require = nodeModule.createRequire(import.meta.url)
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const names = [`node-${platform}-${process.arch}`, `node-bin-${platform}-${process.arch}`, 'node']
  for (const name of names) {
    try {
      const manifestPath = require.resolve(`${name}/package.json`)
      const { version, bin } = JSON.parse(readFileSync(manifestPath, 'utf8'))
      const path = join(dirname(manifestPath), bin.node)
      if (Number(version.split('.')[0]) >= NODE_MAJOR_MIN && existsSync(path)) return path
    } catch {
      // Not installed: the next name.
    }
  }
  return undefined
}

/** Runs the program as a child: signals go on, and its end becomes ours. */
function relay(program, args) {
  const child = spawn(program, args, { stdio: 'inherit' })
  // A terminal sends Ctrl-C to the whole group: passing it on as well would be a second one.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`Cannot start ${program}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
    process.exit()
  })
}
