import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { nameFromPath, namesOf, readArtifact } from '../../src/cli/deploy/artifact.ts'
import { chooseImage } from '../../src/cli/deploy/choose-image.ts'
import { hashArtifact, packArtifact } from '../../src/cli/deploy/pack.ts'
import { readArchiveEntries } from '../../src/cli/deploy/read-archive.ts'
import { runCli } from '../support/run-cli.ts'

const MODELS = join(import.meta.dirname, '../fixtures/models')

let folder: string
before(() => void (folder = mkdtempSync(join(tmpdir(), 'berth-artifact-'))))
after(() => rmSync(folder, { recursive: true, force: true }))

test('an ONNX file is packed under the name the server looks for, with its weights file', async () => {
  const artifact = await readArtifact(join(MODELS, 'external.onnx'))
  assert.deepEqual(namesOf(artifact), ['external.onnx.data', 'model.onnx'])
})

test('an ONNX file with its weights inside is packed alone', async () => {
  assert.deepEqual(namesOf(await readArtifact(join(MODELS, 'affine.onnx'))), ['model.onnx'])
})

test('a folder gives the same archive and hash wherever and whenever it is packed', async () => {
  const copies = ['one', 'two'].map((name) => join(folder, name))
  for (const copy of copies) {
    mkdirSync(join(copy, 'assets'), { recursive: true })
    mkdirSync(join(copy, '__pycache__'))
    cpSync(join(MODELS, 'affine.onnx'), join(copy, 'model.onnx'))
    writeFileSync(join(copy, 'assets/labels.txt'), 'a\nb\n')
    writeFileSync(join(copy, '__pycache__/x.pyc'), copy)
  }
  const artifacts = await Promise.all(copies.map(readArtifact))
  const [first, second] = await Promise.all(artifacts.map((each) => buffer(packArtifact(each))))
  assert.ok(first !== undefined && second !== undefined && first.equals(second))
  const [hash, other] = await Promise.all(artifacts.map((each) => hashArtifact(each)))
  assert.equal(hash, other)

  const archive = join(folder, 'packed.tar.gz')
  writeFileSync(archive, first)
  const entries = await readArchiveEntries(archive)
  assert.deepEqual(
    entries.map(({ name, refusal }) => [name, refusal]),
    [
      ['assets/labels.txt', undefined],
      ['model.onnx', undefined],
    ],
  )
})

test('one changed byte changes the hash', async () => {
  const path = join(folder, 'changing')
  mkdirSync(path)
  writeFileSync(join(path, 'model.onnx'), 'a')
  const before = await hashArtifact(await readArtifact(path))
  writeFileSync(join(path, 'model.onnx'), 'b')
  assert.notEqual(await hashArtifact(await readArtifact(path)), before)
})

test('a folder that shrinks while it is packed fails the upload instead of sending a broken archive', async () => {
  const path = join(folder, 'shrinking')
  mkdirSync(path)
  writeFileSync(join(path, 'model.onnx'), 'four')
  const artifact = await readArtifact(path)
  writeFileSync(join(path, 'model.onnx'), 'x')
  await assert.rejects(buffer(packArtifact(artifact)))
})

describe('endpoint names', () => {
  const cases = [
    { given: './models/churn.onnx', name: 'churn' },
    { given: 'My Model_v2.tar.gz', name: 'My-Model-v2' },
    { given: '/x/--odd--', name: 'odd' },
    { given: `${'a'.repeat(62)}-b.onnx`, name: 'a'.repeat(62) },
  ]
  for (const { given, name } of cases) {
    test(`${given} → ${name}`, () => assert.equal(nameFromPath(given), name))
  }
  test('a name with no letter or digit asks for --name', () => {
    assert.throws(() => nameFromPath('…onnx/___'), /No endpoint name/)
  })
})

describe('images by content', () => {
  test('model.onnx, or the only ONNX file in any folder, is served by berth/onnx', () => {
    assert.equal(chooseImage(['a.txt', 'model.onnx', 'other.onnx']), 'berth/onnx')
    assert.equal(chooseImage(['1/net.onnx', 'labels.txt']), 'berth/onnx')
    assert.equal(chooseImage(['model.onnx', 'code/inference.ts']), 'berth/node')
    assert.equal(chooseImage(['code/package.json', 'code/src/serve.ts']), 'berth/node')
    assert.equal(chooseImage(['model.onnx', 'package.json']), 'berth/onnx')
    assert.equal(chooseImage(['net/1/model.onnx', 'net/config.pbtxt']), 'berth/triton')
  })
  test('anything else is named, together with what each image needs', () => {
    assert.throws(
      () => chooseImage(['a.onnx', 'b.onnx']),
      (error: Error & { cure?: string }) =>
        /a\.onnx, b\.onnx/.test(error.message) &&
        /berth\/onnx .*model\.onnx/.test(error.cure ?? ''),
    )
  })
})

describe('doctor', () => {
  const doctor = async (subject: string) => {
    const { stdout, exitCode } = await runCli(['doctor', subject, '--json'])
    const findings = JSON.parse(stdout) as { level: string; subject: string; message: string }[]
    return { exitCode, findings, errors: findings.filter(({ level }) => level === 'error') }
  }

  test('says the inputs and outputs of a model that loads', async () => {
    const { exitCode, findings } = await doctor(join(MODELS, 'external.onnx'))
    assert.equal(exitCode, 0)
    assert.match(findings.at(-1)?.message ?? '', /inputs: x float32.*outputs: y float32/)
  })

  test('says in words why a model does not load', async () => {
    const { exitCode, errors } = await doctor(join(MODELS, 'opset99.onnx'))
    assert.equal(exitCode, 1)
    assert.match(errors[0]?.message ?? '', /opset 99/)
  })

  test('finds every entry for which an archive would be refused', async () => {
    const path = join(folder, 'refused')
    mkdirSync(path)
    cpSync(join(MODELS, 'affine.onnx'), join(path, 'model.onnx'))
    symlinkSync('/etc/passwd', join(path, 'link'))
    const archive = join(folder, 'refused.tar.gz')
    execFileSync('tar', ['-C', folder, '-P', '-czf', archive, 'refused', 'refused/../changing'])
    const { exitCode, errors } = await doctor(archive)
    assert.equal(exitCode, 1)
    assert.match(errors.map(({ message }) => message).join('\n'), /link is a link/)
    assert.match(errors.map(({ message }) => message).join('\n'), /leaves the folder/)
  })

  test('an archive that is cut off is named as such', async () => {
    const archive = join(folder, 'cut.tar.gz')
    const whole = await buffer(packArtifact(await readArtifact(join(MODELS, 'iris-tensor.onnx'))))
    writeFileSync(archive, whole.subarray(0, whole.length / 2))
    const { exitCode, errors } = await doctor(archive)
    assert.equal(exitCode, 1)
    assert.match(errors[0]?.message ?? '', /not a whole \.tar\.gz/)
  })

  test('knows which images are built in', async () => {
    assert.equal((await doctor('berth/echo')).exitCode, 0)
    assert.equal((await doctor('berth/triton')).exitCode, 0)
    assert.equal((await doctor('berth/other')).exitCode, 1)
    assert.match((await doctor('nginx:1')).errors[0]?.message ?? '', /built-in images only/)
  })
})
