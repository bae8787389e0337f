/**
 * `node bench/python-latency.ts`: what a Python process adds to an invocation of 64 floats: from the model server's pool to
 * `transform_fn` and back, without HTTP and without user code that does anything.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pythonWorkers } from '../src/modelserver/python/sagemaker-worker.ts'
import { measureHandler } from './harness/handler-latency.ts'

const HANDLER =
  'def model_fn(d): return 0\ndef transform_fn(model, body, content_type, accept): return body, content_type\n'

const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
await writeFile(join(folder, 'inference.py'), HANDLER)
const kind = pythonWorkers({
  python: process.env['BERTH_PYTHON'] ?? 'python3',
  arguments: [folder],
  environment: { PATH: process.env['PATH'] ?? '' },
})
console.log(JSON.stringify(await measureHandler(kind)))
await rm(folder, { recursive: true })
