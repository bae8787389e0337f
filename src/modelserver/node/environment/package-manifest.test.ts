import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { findManifest, packagesKey } from './package-manifest.ts'

async function manifestOf(wanted: string) {
  const folder = mkdtempSync(join(tmpdir(), 'berth-manifest-'))
  try {
    const json = { dependencies: { 'a-package': wanted } }
    writeFileSync(join(folder, 'package.json'), JSON.stringify(json))
    const manifest = await findManifest([folder], folder)
    assert.ok(manifest)
    return manifest
  } finally {
    rmSync(folder, { recursive: true })
  }
}

for (const wanted of ['1.2.0', '~1.2.0', '^1.2.0', '>=1 <3', 'latest', '*']) {
  test(`models that want ${wanted} of a package share what is installed`, async () => {
    const [one, other] = [await manifestOf(wanted), await manifestOf(wanted)]
    assert.equal(one.isLocal, false)
    assert.equal(packagesKey(one), packagesKey(other))
  })
}

for (const wanted of ['file:../a', 'link:a', './a.tgz', '../a', '/opt/a', '~/a']) {
  test(`${wanted} lies beside one model and is no other's`, async () => {
    const [one, other] = [await manifestOf(wanted), await manifestOf(wanted)]
    assert.equal(one.isLocal, true)
    assert.notEqual(packagesKey(one), packagesKey(other))
  })
}
