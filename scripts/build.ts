/**
 * `npm run build`: bundles what is published into `dist/`, dependencies included.
 *
 * The package then needs nothing but a Node: no install script runs on the user's machine, which matters because the
 * one of onnxruntime-node downloads GPU libraries from outside the registry and fails where that is refused, and
 * because its settings cannot be given from inside a dependency. ONNX Runtime's CPU libraries are copied from the
 * package instead. Development needs no build: Node runs `src/` as it is.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { build } from 'esbuild'
import type { BuildOptions, Plugin } from 'esbuild'
import { writeNotices } from './notices.ts'

const ROOT = join(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')

// Programs that are started as processes or threads of their own. Their paths below dist/ are those below src/.
const PROGRAMS = [
  'src/cli/main.ts',
  'src/main.ts',
  'src/gateway/main.ts',
  'src/modelserver/main.ts',
  'src/modelserver/onnx/inference-worker.ts',
  'src/modelserver/multi-model/onnx/model-host-worker.ts',
  'src/modelserver/compile/main.ts',
  'src/modelserver/compile/job/main.ts',
  'src/modelserver/node/worker/sagemaker-thread.ts',
  'src/modelserver/node/worker/tensor-thread.ts',
  'src/modelserver/node/author/model.ts',
  'src/modelserver/node/author/onnxruntime.ts',
  'src/modelserver/graph/data/sqlite-thread.ts',
  'src/modelserver/triton/main.ts',
  'src/modelserver/triton/onnx/instance-worker.ts',
  'examples/digits/quickstart.ts',
]

// Read when the server starts, from beside the module that reads them.
const PROTOCOLS = ['inference.proto', 'model_config.proto', 'health.proto', 'reflection.proto'].map(
  (name) => `modelserver/triton/grpc/${name}`,
)

// Systems that `berth doctor` calls supported.
const NATIVE_PLATFORMS = ['linux/x64', 'linux/arm64', 'darwin/arm64']
const NATIVE_SOURCE = 'node_modules/onnxruntime-node/bin/napi-v6'

// Python programs, each beside the module that starts it.
const PYTHON_FOLDERS = ['modelserver/python/worker']

// On macOS two names hold the same library; the binding is linked to the one without the full version.
const UNUSED_LIBRARY = /\.\d+\.\d+\.\d+\.dylib$/

// `require` for the CommonJS among the dependencies, and what import.meta.url becomes in our own modules.
const BANNER = `
import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
const __moduleUrl = (path) => import.meta.url.slice(0, import.meta.url.lastIndexOf('/dist/') + 6) + path;
`.trim()

const OPTIONS = {
  absWorkingDir: ROOT,
  entryPoints: PROGRAMS.map((path) => ({ in: path, out: programName(path) })),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  mainFields: ['module', 'main'],
  // Not `import`: what is required must be CommonJS, as Node would have it.
  conditions: ['node', 'module'],
  chunkNames: 'chunks/[name]-[hash]',
  banner: { js: BANNER },
  legalComments: 'none',
  sourcemap: 'linked',
  sourcesContent: false,
  metafile: true,
  logLevel: 'warning',
  plugins: [ownModuleUrls(), nativeOnnxRuntime()],
} as const satisfies BuildOptions

rmSync(DIST, { recursive: true, force: true })
const { metafile } = await build({ ...OPTIONS, entryPoints: [...OPTIONS.entryPoints] })
for (const platform of NATIVE_PLATFORMS) copyNative(platform)
for (const folder of PYTHON_FOLDERS) copyPython(folder)
for (const path of PROTOCOLS) copyProtocol(path)
declareTypes('src/modelserver/node/author/model.ts')
writeNotices(Object.keys(metafile.inputs), ROOT, join(DIST, 'THIRD-PARTY-NOTICES.txt'))

const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0)
process.stderr.write(
  `dist/: ${Object.keys(metafile.outputs).length} files, ${(bytes / 1e6).toFixed(1)} MB\n`,
)

function programName(path: string): string {
  return path.replace(/^src\//, '').replace(/\.ts$/, '')
}

/**
 * Gives each of our modules the URL it would have if `dist/` mirrored `src/` file by file, whatever chunk it lands
 * in, so that `new URL('./inference-worker.js', import.meta.url)` and walks to the package's folder stay right.
 */
function ownModuleUrls(): Plugin {
  return {
    name: 'own-module-urls',
    setup(bundle) {
      bundle.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const name = programName(relative(ROOT, path).split(sep).join('/'))
        const source = readFileSync(path, 'utf8')
        if (/\bimport\.meta\.(dirname|filename)\b/.test(source)) {
          return { errors: [{ text: `${path}: use import.meta.url; the bundle has no other.` }] }
        }
        const contents = source.replaceAll('import.meta.url', `__moduleUrl('${name}.js')`)
        return {
          contents: `declare const __moduleUrl: (path: string) => string\n${contents}`,
          loader: 'ts',
        }
      })
    },
  }
}

/** Points the loader of ONNX Runtime at the libraries in `dist/onnxruntime`. */
function nativeOnnxRuntime(): Plugin {
  const original =
    'require(`../bin/napi-v6/${process.platform}/${process.arch}/onnxruntime_binding.node`)'
  const replacement =
    "require(require('node:url').fileURLToPath(__moduleUrl(`onnxruntime/${process.platform}/${process.arch}/onnxruntime_binding.node`)))"
  return {
    name: 'native-onnxruntime',
    setup(bundle) {
      bundle.onLoad({ filter: /onnxruntime-node[/\\]dist[/\\]binding\.js$/ }, ({ path }) => {
        const source = readFileSync(path, 'utf8')
        if (!source.includes(original)) {
          return {
            errors: [{ text: 'onnxruntime-node loads its library in a new way: look at it.' }],
          }
        }
        return { contents: source.replace(original, () => replacement), loader: 'js' }
      })
    },
  }
}

function copyNative(platform: string): void {
  const from = join(ROOT, NATIVE_SOURCE, platform)
  const to = join(DIST, 'onnxruntime', platform)
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) {
    // What the install script downloaded, if it ever ran here, is not part of the package.
    if (UNUSED_LIBRARY.test(name) || name.includes('providers')) continue
    copyFileSync(join(from, name), join(to, name))
  }
}

function copyPython(folder: string): void {
  const filter = (path: string): boolean => !path.includes('__pycache__')
  cpSync(join(ROOT, 'src', folder), join(DIST, folder), { recursive: true, filter })
}

function copyProtocol(path: string): void {
  mkdirSync(dirname(join(DIST, path)), { recursive: true })
  copyFileSync(join(ROOT, 'src', path), join(DIST, path))
}

/** Writes the declarations of a module that stands alone, for the authors of user code. */
function declareTypes(path: string): void {
  const outDir = dirname(join(DIST, programName(path)))
  const settings = [
    '--declaration',
    '--emitDeclarationOnly',
    '--noEmit',
    'false',
    '--outDir',
    outDir,
  ]
  const language = [
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--lib',
    'es2024',
    '--types',
    'node',
  ]
  const tsc = join(ROOT, 'node_modules/.bin/tsc')
  execFileSync(tsc, ['--ignoreConfig', ...settings, ...language, path], {
    cwd: ROOT,
    stdio: 'inherit',
  })
}
