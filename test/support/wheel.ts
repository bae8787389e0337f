import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ensureModelPython } from './model-python.ts'

/** `berth_test_wheel-1.0-py3-none-any.whl`, the smallest package there is: a zip with a module and its metadata, stored without compression. */
export async function makeWheel(): Promise<Buffer> {
  const script = `
import base64, io, sys, zipfile
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as wheel:
    wheel.writestr("berth_test_wheel.py", "ANSWER = 42\\n")
    info = "berth_test_wheel-1.0.dist-info/"
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: berth-test-wheel\\nVersion: 1.0\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", "")
print(base64.b64encode(buffer.getvalue()).decode())`
  const { stdout } = await promisify(execFile)(await ensureModelPython(), ['-c', script])
  return Buffer.from(stdout, 'base64')
}
