import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decideLevelMax } from './weight-levels.ts'

for (const { given, arch, cpuInfo, expected } of [
  { given: 'ARM', arch: 'arm64', cpuInfo: 'Features : fp asimd', expected: 127 },
  {
    given: 'AVX-512 VNNI',
    arch: 'x64',
    cpuInfo: 'a : b\nflags\t\t: avx2 avx512_vnni',
    expected: 127,
  },
  { given: 'AVX VNNI', arch: 'x64', cpuInfo: 'flags\t\t: avx2 avx_vnni', expected: 127 },
  { given: 'AVX2 alone', arch: 'x64', cpuInfo: 'flags\t\t: avx avx2 avx512f', expected: 64 },
  { given: 'an unknown processor', arch: 'x64', cpuInfo: '', expected: 64 },
]) {
  test(`the largest int8 weight on ${given} is ${expected}`, () => {
    assert.equal(decideLevelMax(arch, cpuInfo), expected)
  })
}
